-- token-bucket (GCRA), in ticks: "full_at", or "full_at refunded keep_until" after a refund
--
-- `full_at` is the theoretical arrival time: when the bucket is full again. It lies `capacity` tokens ahead of
-- now when the bucket is empty. Until `keep_until`, its latest value, a charge may come back.

local function make_token_bucket()
  local token_bucket = {}

  -- A bucket that is emptier than empty was written by another clock.
  function token_bucket.load(key, text, policy, now)
    local now_ticks = now * policy.ticks_per_ms
    local empty = now_ticks + policy.capacity * policy.ticks_per_token
    local full_at, refunded, keep_until = stored_numbers(text)
    local is_healed = false
    keep_until = keep_until or full_at
    if not full_at or keep_until <= now_ticks then
      full_at, refunded, keep_until = now_ticks, 0, now_ticks
    elseif full_at > empty or keep_until > empty then
      full_at, keep_until, is_healed = min(full_at, empty), min(keep_until, empty), true
    end
    policy.now_ticks, policy.empty = now_ticks, empty
    return {
      key = key,
      policy = policy,
      exists = text and true,
      is_healed = is_healed,
      is_changed = false,
      full_at = max(full_at, now_ticks),
      refunded = refunded or 0,
      keep_until = keep_until,
    }
  end

  -- Rounded up: at that millisecond the tokens are surely there.
  local function wait_for(tokens, available_ticks, policy)
    if tokens > policy.capacity or policy.amount == 0 then return NEVER end
    return ceil((tokens * policy.ticks_per_token - available_ticks) / policy.ticks_per_ms)
  end

  function token_bucket.test(counter, cost)
    local policy = counter.policy
    local available_ticks = policy.empty - counter.full_at
    local tokens = floor(available_ticks / policy.ticks_per_token)
    local allowed = cost * policy.ticks_per_token <= available_ticks and policy.amount > 0
    local reset_after_ms = tokens == policy.capacity and 0 or wait_for(tokens + 1, available_ticks, policy)
    local retry_after_ms = allowed and 0 or wait_for(cost, available_ticks, policy)
    return allowed, policy.amount == 0 and 0 or tokens, reset_after_ms, retry_after_ms, 0, 0
  end

  function token_bucket.charge(counter, cost)
    local full_at = counter.full_at + cost * counter.policy.ticks_per_token
    counter.full_at, counter.keep_until = full_at, max(counter.keep_until, full_at)
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

  function token_bucket.text(counter)
    local full_at, refunded, keep_until = counter.full_at, counter.refunded, counter.keep_until
    if keep_until <= counter.policy.now_ticks then return nil end
    if refunded == 0 and keep_until == full_at then return format("%.0f", full_at) end
    return format("%.0f %.0f %.0f", full_at, refunded, keep_until)
  end

  function token_bucket.expires_at(counter)
    return ceil(counter.keep_until / counter.policy.ticks_per_ms)
  end

  return token_bucket
end
