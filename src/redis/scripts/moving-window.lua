-- moving-window: a log of instants and costs, which is edited in place

local moving_window = {}

function moving_window.expires_at(log, policy)
  return log:at(log.last) + policy.window_ms
end

local function until_oldest_leaves_ms(log, policy, now)
  return log:is_empty() and 0 or log:at(log.first) + policy.window_ms - now
end

local function until_units_leave_ms(units, log, policy, now)
  if log:is_empty() or units > log:total() then return NEVER end
  return log:instant_of_unit(units) + policy.window_ms - now
end

function moving_window.test(log, policy, cost, now)
  log:drop_until(now - policy.window_ms)
  log:clamp_to(now)
  local used = log:total()
  local missing = used + cost - policy.amount
  local allowed = missing <= 0 and policy.amount > 0
  local retry_after_ms = allowed and 0 or until_units_leave_ms(missing, log, policy, now)
  local reset_after_ms = until_oldest_leaves_ms(log, policy, now)
  return verdict(allowed, max(0, policy.amount - used), reset_after_ms, retry_after_ms, now)
end

-- `test` has dropped and clamped before.
function moving_window.charge(log, policy, cost, now)
  if cost > 0 then log:append(now, cost) end
  local remaining = policy.amount - log:total()
  return log, verdict(true, remaining, until_oldest_leaves_ms(log, policy, now), 0, now)
end

-- The receipt is the instant of the charge.
function moving_window.refund(log, policy, cost, receipt, _, now)
  log:drop_until(now - policy.window_ms)
  log:remove(receipt, cost)
  return log
end
