-- sliding-window-counter: "previous current starts_at"

local sliding_window = {}

function sliding_window.read(text)
  local previous, current, starts_at = stored_numbers(text)
  return starts_at and { previous = previous, current = current, starts_at = starts_at } or nil
end

function sliding_window.write(window)
  return format("%.0f %.0f %.0f", window.previous, window.current, window.starts_at)
end

-- The current window still weighs during the one after it.
function sliding_window.expires_at(window, policy)
  return window.starts_at + (window.current == 0 and 1 or 2) * policy.window_ms
end

-- A window that opens in the future was opened by another clock.
function sliding_window.healed(window, _, now)
  if window.starts_at <= now then return nil end
  return { previous = window.previous, current = window.current, starts_at = now }
end

-- The state as of now: windows that ended have moved back, or are forgotten.
local function rotated(window, policy, now)
  local window_ms = policy.window_ms
  if not window or now >= window.starts_at + 2 * window_ms then
    return { previous = 0, current = 0, starts_at = now }
  end
  if window.starts_at > now then return sliding_window.healed(window, policy, now) end
  if now < window.starts_at + window_ms then return window end
  if window.current == 0 then return { previous = 0, current = 0, starts_at = now } end
  return { previous = window.current, current = 0, starts_at = window.starts_at + window_ms }
end

-- How long before its end a window of `count` weighs at most `units`.
local function fade_ms(units, count, window_ms)
  return count <= units and window_ms or floor((units * window_ms) / count)
end

-- How long until so many units are free: first the previous window fades, then the current one.
local function wait_for(units, live, policy, now)
  if units > policy.amount or policy.amount == 0 then return NEVER end
  local window_ms = policy.window_ms
  local may_weigh = policy.amount - units
  local ends_at = live.starts_at + window_ms
  if live.current <= may_weigh then
    return ends_at - fade_ms(may_weigh - live.current, live.previous, window_ms) - now
  end
  return ends_at + window_ms - fade_ms(may_weigh, live.current, window_ms) - now
end

-- Sums are kept in units times milliseconds, whole numbers.
local function judged(live, policy, cost, now)
  local amount, window_ms = policy.amount, policy.window_ms
  local spent_unit_ms = live.previous * (live.starts_at + window_ms - now) + live.current * window_ms
  local free_unit_ms = max(0, amount * window_ms - spent_unit_ms)
  local remaining = floor(free_unit_ms / window_ms)
  local allowed = cost * window_ms <= free_unit_ms and amount > 0
  local reset_after_ms = remaining == amount and 0 or wait_for(remaining + 1, live, policy, now)
  local retry_after_ms = allowed and 0 or wait_for(cost, live, policy, now)
  return verdict(allowed, remaining, reset_after_ms, retry_after_ms, live.starts_at)
end

local function kept(window)
  return (window.previous > 0 or window.current > 0) and window or nil
end

function sliding_window.test(window, policy, cost, now)
  return judged(rotated(window, policy, now), policy, cost, now)
end

function sliding_window.charge(window, policy, cost, now)
  local live = rotated(window, policy, now)
  local charged = { previous = live.previous, current = live.current + cost, starts_at = live.starts_at }
  return kept(charged), judged(charged, policy, 0, now)
end

-- The receipt is the start of the window that was charged; it may have become the previous one since.
function sliding_window.refund(window, policy, cost, receipt)
  local previous, current = window.previous, window.current
  if window.starts_at == receipt then
    current = max(0, current - cost)
  elseif window.starts_at == receipt + policy.window_ms then
    previous = max(0, previous - cost)
  end
  return kept({ previous = previous, current = current, starts_at = window.starts_at })
end
