-- fixed-window: an entry ends with its window, and holds the count.

local function make_fixed_window()
  local fixed_window = {}

  function fixed_window.load(counter, policy, ends_at, count)
    local latest_end_at = now + policy.window_ms
    if ends_at <= now or count == 0 then
      count, ends_at = 0, latest_end_at
    elseif ends_at > latest_end_at then
      ends_at, counter.is_healed = latest_end_at, true
    end
    counter.count, counter.ends_at = min(count, policy.amount), ends_at
  end

  function fixed_window.test(counter, cost)
    local amount, count, left_ms = counter.policy.amount, counter.count, counter.ends_at - now
    local reset_after_ms = count == 0 and 0 or left_ms
    if count + cost <= amount and amount > 0 then
      return true, amount - count, reset_after_ms, 0, counter.ends_at, 0
    end
    local can_ever_fit = cost <= amount and amount > 0
    return false, amount - count, reset_after_ms, can_ever_fit and left_ms or NEVER, 0, 0
  end

  function fixed_window.charge(counter, cost)
    local count, ends_at = counter.count + cost, counter.ends_at
    counter.count = count
    return true, counter.policy.amount - count, count == 0 and 0 or ends_at - now, 0, ends_at, 0
  end

  -- The receipt is the end of the window that was charged.
  function fixed_window.refund(counter, cost, receipt)
    if counter.ends_at == receipt then counter.count = max(0, counter.count - cost) end
  end

  function fixed_window.numbers(counter)
    return counter.ends_at, counter.count, 0
  end

  return fixed_window
end
