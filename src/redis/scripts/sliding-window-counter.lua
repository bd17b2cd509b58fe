-- sliding-window-counter: an entry ends with the last window that weighs, and holds the previous and the current count.

local function make_sliding_window()
  local sliding_window = {}

  -- The current window still weighs during the one after it.
  local function windows_left(current)
    return current == 0 and 1 or 2
  end

  -- Windows that ended have moved back, or are forgotten. One that opens in the future was opened by another clock.
  function sliding_window.load(counter, policy, ends_at, previous, current)
    local window_ms = policy.window_ms
    local starts_at = ends_at - windows_left(current) * window_ms
    if ends_at <= now or previous + current == 0 then
      previous, current, starts_at = 0, 0, now
    elseif starts_at > now then
      starts_at, counter.is_healed = now, true
    elseif now >= starts_at + window_ms then
      previous, current, starts_at = current, 0, starts_at + window_ms
    end
    counter.previous, counter.current, counter.starts_at = previous, current, starts_at
  end

  -- How long before its end a window of `count` weighs at most `units`.
  local function fade_ms(units, count, window_ms)
    return count <= units and window_ms or floor((units * window_ms) / count)
  end

  -- How long until so many units are free: first the previous window fades, then the current one.
  local function wait_for(units, counter)
    local policy = counter.policy
    if units > policy.amount or policy.amount == 0 then return NEVER end
    local window_ms = policy.window_ms
    local may_weigh = policy.amount - units
    local ends_at = counter.starts_at + window_ms
    if counter.current <= may_weigh then
      return ends_at - fade_ms(may_weigh - counter.current, counter.previous, window_ms) - now
    end
    return ends_at + window_ms - fade_ms(may_weigh, counter.current, window_ms) - now
  end

  -- Sums are kept in units times milliseconds, whole numbers.
  function sliding_window.test(counter, cost)
    local amount, window_ms, starts_at = counter.policy.amount, counter.policy.window_ms, counter.starts_at
    local spent_unit_ms = counter.previous * (starts_at + window_ms - now) + counter.current * window_ms
    local free_unit_ms = max(0, amount * window_ms - spent_unit_ms)
    local remaining = floor(free_unit_ms / window_ms)
    local allowed = cost * window_ms <= free_unit_ms and amount > 0
    local reset_after_ms = remaining == amount and 0 or wait_for(remaining + 1, counter)
    return allowed, remaining, reset_after_ms, allowed and 0 or wait_for(cost, counter), starts_at, 0
  end

  function sliding_window.charge(counter, cost)
    counter.current = counter.current + cost
    return sliding_window.test(counter, 0)
  end

  -- The receipt is the start of the window that was charged; it may have become the previous one since.
  function sliding_window.refund(counter, cost, receipt)
    if counter.starts_at == receipt then
      counter.current = max(0, counter.current - cost)
    elseif counter.starts_at == receipt + counter.policy.window_ms then
      counter.previous = max(0, counter.previous - cost)
    end
  end

  function sliding_window.numbers(counter)
    local ends_at = counter.starts_at + windows_left(counter.current) * counter.policy.window_ms
    return ends_at, counter.previous, counter.current
  end

  return sliding_window
end
