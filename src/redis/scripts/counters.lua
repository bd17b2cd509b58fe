-- Counters of this call: read before, written once after all is decided, however often a key is charged. After
-- the first write nothing may fail, as Redis takes nothing back.

local STRATEGIES = { fixed_window, moving_window, sliding_window, token_bucket, block }
local LOG_STRATEGY, BLOCK_STRATEGY = 2, 5

local counters = {}
local counters_in_order = {}

local function counter_of(key, text, policy)
  local counter = counters[key]
  if counter then return counter end
  counter = { key = key, policy = policy, strategy = STRATEGIES[policy.strategy] }
  if policy.strategy == LOG_STRATEGY then
    counter.state, counter.existed = instant_log.load(key)
  else
    counter.state = text and counter.strategy.read(text) or nil
    counter.existed = text and true or false
  end
  counters[key] = counter
  counters_in_order[#counters_in_order + 1] = counter
  return counter
end

local function test(claim, now)
  local counter = claim.counter
  return counter.strategy.test(counter.state, claim.policy, claim.cost, now)
end

-- To be called only after a test that allowed it.
local function charge(claim, now)
  local counter = claim.counter
  local charged
  counter.state, charged = counter.strategy.charge(counter.state, claim.policy, claim.cost, now)
  counter.is_changed = true
  return charged
end

local function refund(claim, receipt, refunds_seen, now)
  local counter = claim.counter
  if not counter.state then return end
  counter.state = counter.strategy.refund(counter.state, claim.policy, claim.cost, receipt, refunds_seen, now)
  counter.is_changed = true
end

local function forget(counter)
  counter.state = counter.policy.strategy == LOG_STRATEGY and instant_log.empty(counter.key) or nil
  counter.is_changed, counter.existed = true, true
end

-- A counter that is only looked at keeps what it holds, unless another clock wrote it or its expiry was lost.
local function heal(claim, now)
  local counter = claim.counter
  if counter.is_changed or not counter.existed or not counter.state then return end
  if claim.policy.strategy == LOG_STRATEGY then
    counter.is_changed = counter.state.edited_from ~= nil
  else
    local healed = counter.strategy.healed(counter.state, claim.policy, now)
    counter.state, counter.is_changed = healed or counter.state, healed ~= nil
  end
  if redis.call("PTTL", counter.key) == -1 then counter.is_changed = true end
end

local function is_empty(counter)
  if not counter.state then return true end
  return counter.policy.strategy == LOG_STRATEGY and counter.state:is_empty()
end

-- `unix_offset_ms` takes an instant to the server's clock.
local function write_all(unix_offset_ms)
  for _, counter in ipairs(counters_in_order) do
    if counter.is_changed and is_empty(counter) then
      if counter.existed then redis.call("DEL", counter.key) end
    elseif counter.is_changed then
      local state, strategy = counter.state, counter.strategy
      local expires_unix_ms = format("%.0f", strategy.expires_at(state, counter.policy) + unix_offset_ms)
      if counter.policy.strategy == LOG_STRATEGY then
        state:save(expires_unix_ms)
      else
        redis.call("SET", counter.key, strategy.write(state), "PXAT", expires_unix_ms)
      end
    end
  end
end
