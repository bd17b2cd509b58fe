-- token-bucket (GCRA), in ticks: "full_at", or "full_at refunded keep_until" after a refund
--
-- `full_at` is the theoretical arrival time: when the bucket is full again. It lies `capacity` tokens ahead of
-- now when the bucket is empty. Until `keep_until`, its latest value, a charge may come back.

local token_bucket = {}

function token_bucket.read(text)
  local full_at, refunded, keep_until = stored_numbers(text)
  if not full_at then return nil end
  return { full_at = full_at, refunded = refunded or 0, keep_until = keep_until or full_at }
end

function token_bucket.write(bucket)
  if bucket.refunded == 0 and bucket.keep_until == bucket.full_at then return format("%.0f", bucket.full_at) end
  return format("%.0f %.0f %.0f", bucket.full_at, bucket.refunded, bucket.keep_until)
end

function token_bucket.expires_at(bucket, policy)
  return ceil(bucket.keep_until / policy.ticks_per_ms)
end

-- A bucket that is emptier than empty was written by another clock.
function token_bucket.healed(bucket, policy, now)
  local empty = now * policy.ticks_per_ms + policy.capacity * policy.ticks_per_token
  if bucket.full_at <= empty and bucket.keep_until <= empty then return nil end
  return {
    full_at = min(bucket.full_at, empty),
    refunded = bucket.refunded,
    keep_until = min(bucket.keep_until, empty),
  }
end

local function live_bucket(bucket, policy, now)
  local now_ticks = now * policy.ticks_per_ms
  if not bucket or bucket.keep_until <= now_ticks then
    return { full_at = now_ticks, refunded = 0, keep_until = now_ticks }
  end
  local live = token_bucket.healed(bucket, policy, now) or bucket
  if live.full_at >= now_ticks then return live end
  return { full_at = now_ticks, refunded = live.refunded, keep_until = live.keep_until }
end

-- Rounded up: at that millisecond the tokens are surely there.
local function until_tokens_ms(tokens, available_ticks, policy)
  if tokens > policy.capacity or policy.amount == 0 then return NEVER end
  return ceil((tokens * policy.ticks_per_token - available_ticks) / policy.ticks_per_ms)
end

local function judged_bucket(live, policy, cost, now)
  local capacity, ticks_per_token = policy.capacity, policy.ticks_per_token
  local available_ticks = capacity * ticks_per_token - (live.full_at - now * policy.ticks_per_ms)
  local tokens = floor(available_ticks / ticks_per_token)
  local allowed = cost * ticks_per_token <= available_ticks and policy.amount > 0
  local reset_after_ms = tokens == capacity and 0 or until_tokens_ms(tokens + 1, available_ticks, policy)
  local retry_after_ms = allowed and 0 or until_tokens_ms(cost, available_ticks, policy)
  return verdict(allowed, policy.amount == 0 and 0 or tokens, reset_after_ms, retry_after_ms)
end

function token_bucket.test(bucket, policy, cost, now)
  return judged_bucket(live_bucket(bucket, policy, now), policy, cost, now)
end

function token_bucket.charge(bucket, policy, cost, now)
  local live = live_bucket(bucket, policy, now)
  local full_at = live.full_at + cost * policy.ticks_per_token
  local charged = { full_at = full_at, refunded = live.refunded, keep_until = max(live.keep_until, full_at) }
  local after = judged_bucket(charged, policy, 0, now)
  local kept = charged.keep_until > now * policy.ticks_per_ms and charged or nil
  return kept, verdict(true, after.remaining, after.reset_after_ms, 0, full_at, live.refunded)
end

-- Gives back what of the charge has not grown back yet. The charge stands in the queue up to its receipt, less
-- what refunds since then have moved it forward; taking back more would mint tokens.
function token_bucket.refund(bucket, policy, cost, receipt, refunds_seen, now)
  local moved_forward = max(0, bucket.refunded - refunds_seen)
  local not_yet_grown = receipt - moved_forward - now * policy.ticks_per_ms
  local returned = max(0, min(cost * policy.ticks_per_token, not_yet_grown))
  return {
    full_at = bucket.full_at - returned,
    refunded = bucket.refunded + returned,
    keep_until = bucket.keep_until,
  }
end
