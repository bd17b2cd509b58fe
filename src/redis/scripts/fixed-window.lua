-- fixed-window: "count ends_at"

local function make_fixed_window()
  local fixed_window = {}

  function fixed_window.load(key, text, policy, now)
    local latest_end_at = now + policy.window_ms
    local count, ends_at = stored_numbers(text)
    local is_healed = false
    if not ends_at or now >= ends_at then
      count, ends_at = 0, latest_end_at
    elseif ends_at > latest_end_at then
      ends_at, is_healed = latest_end_at, true
    end
    return {
      key = key,
      policy = policy,
      exists = text and true,
      is_healed = is_healed,
      is_changed = false,
      count = min(count, policy.amount),
      ends_at = ends_at,
    }
  end

  function fixed_window.test(counter, cost, now)
    local amount, count, left_ms = counter.policy.amount, counter.count, counter.ends_at - now
    local reset_after_ms = count == 0 and 0 or left_ms
    if count + cost <= amount and amount > 0 then
      return true, amount - count, reset_after_ms, 0, counter.ends_at, 0
    end
    local can_ever_fit = cost <= amount and amount > 0
    return false, amount - count, reset_after_ms, can_ever_fit and left_ms or NEVER, 0, 0
  end

  function fixed_window.charge(counter, cost, now)
    local count, ends_at = counter.count + cost, counter.ends_at
    counter.count = count
    return true, counter.policy.amount - count, count == 0 and 0 or ends_at - now, 0, ends_at, 0
  end

  -- The receipt is the end of the window that was charged.
  function fixed_window.refund(counter, cost, receipt)
    if counter.ends_at == receipt then counter.count = max(0, counter.count - cost) end
  end

  function fixed_window.text(counter)
    return counter.count > 0 and format("%.0f %.0f", counter.count, counter.ends_at) or nil
  end

  function fixed_window.expires_at(counter)
    return counter.ends_at
  end

  return fixed_window
end
