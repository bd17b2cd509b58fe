-- block: "until_at". A hit of cost `n` refuses everything for `n` milliseconds.

local block = {}

function block.read(text)
  local until_at = stored_numbers(text)
  return until_at and { until_at = until_at } or nil
end

function block.write(bar)
  return format("%.0f", bar.until_at)
end

function block.expires_at(bar)
  return bar.until_at
end

function block.healed()
  return nil
end

function block.test(bar, _, _, now)
  local left_ms = max(0, (bar and bar.until_at or now) - now)
  return verdict(left_ms == 0, left_ms == 0 and 1 or 0, left_ms, left_ms)
end

-- A running block is never shortened.
function block.charge(bar, policy, cost, now)
  local charged = { until_at = max(bar and bar.until_at or now, now + cost) }
  local after = block.test(charged, policy, cost, now)
  return charged, verdict(true, after.remaining, after.reset_after_ms, after.retry_after_ms, charged.until_at)
end

function block.refund(bar, _, _, receipt)
  return bar.until_at ~= receipt and bar or nil
end
