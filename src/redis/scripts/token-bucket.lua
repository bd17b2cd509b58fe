-- token-bucket (GCRA): an entry holds `full_at` and the sum of refunds, in ticks.
--
-- `full_at` is the theoretical arrival time: when the bucket is full again. It lies `capacity` tokens ahead of
-- now when the bucket is empty. The entry ends with its latest value: until then a charge may come back.

local function make_token_bucket()
  local token_bucket = {}

  -- A bucket that is emptier than empty was written by another clock.
  function token_bucket.load(counter, policy, ends_at, full_at, refunded)
    local now_ticks = now * policy.ticks_per_ms
    local empty = now_ticks + policy.capacity * policy.ticks_per_token
    local latest_end_at = ceil(empty / policy.ticks_per_ms)
    if ends_at <= now then
      ends_at, full_at, refunded = now, now_ticks, 0
    elseif full_at > empty or ends_at > latest_end_at then
      full_at, ends_at, counter.is_healed = min(full_at, empty), min(ends_at, latest_end_at), true
    end
    policy.now_ticks = now_ticks
    counter.ends_at, counter.full_at, counter.refunded = ends_at, max(full_at, now_ticks), refunded
  end

  -- Rounded up: at that millisecond the tokens are surely there.
  local function wait_for(tokens, available_ticks, policy)
    if tokens > policy.capacity or policy.amount == 0 then return NEVER end
    return ceil((tokens * policy.ticks_per_token - available_ticks) / policy.ticks_per_ms)
  end

  function token_bucket.test(counter, cost)
    local policy = counter.policy
    local available_ticks = policy.capacity * policy.ticks_per_token - (counter.full_at - policy.now_ticks)
    local tokens = floor(available_ticks / policy.ticks_per_token)
    local allowed = cost * policy.ticks_per_token <= available_ticks and policy.amount > 0
    local reset_after_ms = tokens == policy.capacity and 0 or wait_for(tokens + 1, available_ticks, policy)
    local retry_after_ms = allowed and 0 or wait_for(cost, available_ticks, policy)
    return allowed, policy.amount == 0 and 0 or tokens, reset_after_ms, retry_after_ms, 0, 0
  end

  function token_bucket.charge(counter, cost)
    local full_at = counter.full_at + cost * counter.policy.ticks_per_token
    counter.full_at = full_at
    counter.ends_at = max(counter.ends_at, ceil(full_at / counter.policy.ticks_per_ms))
    local _, remaining, reset_after_ms = token_bucket.test(counter, 0)
    return true, remaining, reset_after_ms, 0, full_at, counter.refunded
  end

  -- Gives back what of the charge has not grown back yet. The charge stands in the queue up to its receipt, less
  -- what refunds since then have moved it forward; taking back more would mint tokens.
  function token_bucket.refund(counter, cost, receipt, refunds_seen)
    local moved_forward = max(0, counter.refunded - refunds_seen)
    local not_yet_grown = receipt - moved_forward - counter.policy.now_ticks
    local returned = max(0, min(cost * counter.policy.ticks_per_token, not_yet_grown))
    counter.full_at, counter.refunded = counter.full_at - returned, counter.refunded + returned
  end

  function token_bucket.numbers(counter)
    return counter.ends_at, counter.full_at, counter.refunded
  end

  return token_bucket
end
