-- block: "until_at". A hit of cost `n` refuses everything for `n` milliseconds.

local function make_block()
  local block = {}

  function block.load(key, text, policy, now)
    local until_at = max(stored_numbers(text) or now, now)
    return { key = key, policy = policy, exists = text and true, is_changed = false, until_at = until_at }
  end

  function block.test(counter, _, now)
    local left_ms = counter.until_at - now
    return left_ms == 0, left_ms == 0 and 1 or 0, left_ms, left_ms, 0, 0
  end

  -- A running block is never shortened.
  function block.charge(counter, cost, now)
    counter.until_at = max(counter.until_at, now + cost)
    local _, remaining, reset_after_ms, retry_after_ms = block.test(counter, cost, now)
    return true, remaining, reset_after_ms, retry_after_ms, counter.until_at, 0
  end

  function block.refund(counter, _, receipt, _, now)
    if counter.until_at == receipt then counter.until_at = now end
  end

  function block.text(counter, now)
    return counter.until_at > now and format("%.0f", counter.until_at) or nil
  end

  function block.expires_at(counter)
    return counter.until_at
  end

  return block
end
