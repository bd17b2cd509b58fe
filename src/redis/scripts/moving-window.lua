-- moving-window: a log of instants and costs at a key of its own, which is edited in place and stored by itself.

local function make_moving_window()
  local instant_log = make_instant_log()
  local moving_window = {}

  function moving_window.load(counter, policy)
    local log, exists = instant_log.load(counter.key)
    log:drop_until(now - policy.window_ms)
    log:clamp_to(now)
    counter.log, counter.exists, counter.is_healed = log, exists, log.edited_from ~= nil
  end

  local function until_oldest_leaves_ms(counter)
    local log = counter.log
    return log:is_empty() and 0 or log:at(log.first) + counter.policy.window_ms - now
  end

  local function until_units_leave_ms(units, counter)
    local log = counter.log
    if log:is_empty() or units > log:total() then return NEVER end
    return log:instant_of_unit(units) + counter.policy.window_ms - now
  end

  function moving_window.test(counter, cost)
    local amount, used = counter.policy.amount, counter.log:total()
    local missing = used + cost - amount
    local allowed = missing <= 0 and amount > 0
    local retry_after_ms = allowed and 0 or until_units_leave_ms(missing, counter)
    return allowed, max(0, amount - used), until_oldest_leaves_ms(counter), retry_after_ms, now, 0
  end

  function moving_window.charge(counter, cost)
    if cost > 0 then counter.log:append(now, cost) end
    local remaining = counter.policy.amount - counter.log:total()
    return true, remaining, until_oldest_leaves_ms(counter), 0, now, 0
  end

  -- The receipt is the instant of the charge.
  function moving_window.refund(counter, cost, receipt)
    counter.log:remove(receipt, cost)
  end

  function moving_window.forget(counter)
    counter.log = instant_log.empty(counter.key)
  end

  function moving_window.expires_at(counter)
    return counter.log:at(counter.log.last) + counter.policy.window_ms
  end

  return moving_window
end
