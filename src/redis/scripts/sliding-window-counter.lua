-- sliding-window-counter: "previous current starts_at"

local function make_sliding_window()
  local sliding_window = {}

  -- Windows that ended have moved back, or are forgotten. One that opens in the future was opened by another clock.
  function sliding_window.load(key, text, policy, now)
    local window_ms = policy.window_ms
    local is_healed = false
    local previous, current, starts_at = stored_numbers(text)
    if not starts_at or now >= starts_at + 2 * window_ms then
      previous, current, starts_at = 0, 0, now
    elseif starts_at > now then
      starts_at, is_healed = now, true
    elseif now >= starts_at + window_ms then
      if current == 0 then starts_at = now else starts_at = starts_at + window_ms end
      previous, current = current, 0
    end
    return {
      key = key,
      policy = policy,
      exists = text and true,
      is_healed = is_healed,
      is_changed = false,
      previous = previous,
      current = current,
      starts_at = starts_at,
    }
  end

  -- How long before its end a window of `count` weighs at most `units`.
  local function fade_ms(units, count, window_ms)
    return count <= units and window_ms or floor((units * window_ms) / count)
  end

  -- How long until so many units are free: first the previous window fades, then the current one.
  local function wait_for(units, counter, now)
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
  function sliding_window.test(counter, cost, now)
    local amount, window_ms, starts_at = counter.policy.amount, counter.policy.window_ms, counter.starts_at
    local spent_unit_ms = counter.previous * (starts_at + window_ms - now) + counter.current * window_ms
    local free_unit_ms = max(0, amount * window_ms - spent_unit_ms)
    local remaining = floor(free_unit_ms / window_ms)
    local allowed = cost * window_ms <= free_unit_ms and amount > 0
    local reset_after_ms = remaining == amount and 0 or wait_for(remaining + 1, counter, now)
    return allowed, remaining, reset_after_ms, allowed and 0 or wait_for(cost, counter, now), starts_at, 0
  end

  function sliding_window.charge(counter, cost, now)
    counter.current = counter.current + cost
    return sliding_window.test(counter, 0, now)
  end

  -- The receipt is the start of the window that was charged; it may have become the previous one since.
  function sliding_window.refund(counter, cost, receipt)
    if counter.starts_at == receipt then
      counter.current = max(0, counter.current - cost)
    elseif counter.starts_at == receipt + counter.policy.window_ms then
      counter.previous = max(0, counter.previous - cost)
    end
  end

  function sliding_window.text(counter)
    if counter.previous == 0 and counter.current == 0 then return nil end
    return format("%.0f %.0f %.0f", counter.previous, counter.current, counter.starts_at)
  end

  -- The current window still weighs during the one after it.
  function sliding_window.expires_at(counter)
    return counter.starts_at + (counter.current == 0 and 1 or 2) * counter.policy.window_ms
  end

  return sliding_window
end
