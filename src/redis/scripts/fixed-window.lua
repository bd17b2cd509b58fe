-- fixed-window: "count ends_at"

local fixed_window = {}

function fixed_window.read(text)
  local count, ends_at = stored_numbers(text)
  return ends_at and count > 0 and { count = count, ends_at = ends_at } or nil
end

function fixed_window.write(window)
  return format("%.0f %.0f", window.count, window.ends_at)
end

function fixed_window.expires_at(window)
  return window.ends_at
end

-- What another clock, or a stranger, wrote: back into what this policy can produce. Nothing when it is already.
function fixed_window.healed(window, policy, now)
  local latest_end_at = now + policy.window_ms
  if window.ends_at <= latest_end_at and window.count <= policy.amount then return nil end
  return { count = min(window.count, policy.amount), ends_at = min(window.ends_at, latest_end_at) }
end

local function live_window(window, policy, now)
  if not window or now >= window.ends_at then return { count = 0, ends_at = now + policy.window_ms } end
  return fixed_window.healed(window, policy, now) or window
end

function fixed_window.test(window, policy, cost, now)
  local live = live_window(window, policy, now)
  local left_ms = live.ends_at - now
  local reset_after_ms = live.count == 0 and 0 or left_ms
  local remaining = policy.amount - live.count
  if policy.amount == 0 or cost > policy.amount then return verdict(false, remaining, reset_after_ms, NEVER) end
  if live.count + cost > policy.amount then return verdict(false, remaining, reset_after_ms, left_ms) end
  return verdict(true, remaining, reset_after_ms, 0, live.ends_at)
end

function fixed_window.charge(window, policy, cost, now)
  local live = live_window(window, policy, now)
  local count = live.count + cost
  local reset_after_ms = count == 0 and 0 or live.ends_at - now
  local charged = count > 0 and { count = count, ends_at = live.ends_at } or nil
  return charged, verdict(true, policy.amount - count, reset_after_ms, 0, live.ends_at)
end

-- The receipt is the end of the window that was charged.
function fixed_window.refund(window, _, cost, receipt)
  if window.ends_at ~= receipt then return window end
  return window.count > cost and { count = window.count - cost, ends_at = receipt } or nil
end
