-- Decides a list of calls, one after the other, as if each had come alone.
--
-- KEYS     first those of texts, then those of logs
-- ARGV[1]  a JSON list of numbers, read from the front by `take`; src/redis/wire.ts writes it
-- Reply    a flat list of whole numbers: the server's clock, then for each call 1 when it came too late, else 0
--          and six numbers for each verdict

local TEST_CLOCK_TTL_SLACK_MS = 3600000
local HIT, TEST, REFUND, CLEAR, PENALIZE = 1, 2, 3, 4, 5

local input, position = cjson.decode(ARGV[1]), 0

local function take()
  position = position + 1
  return input[position] + 0.0
end

local time = redis.call("TIME")
local unix_ms = time[1] * 1000 + floor(time[2] / 1000)
local server_at = unix_ms - EPOCH_UNIX_MS

local has_test_clock, test_now = take() == 1, take()
local now = has_test_clock and test_now or server_at

local text_count = take()
local texts = text_count > 0 and redis.call("MGET", unpack(KEYS, 1, text_count)) or {}

local policies = {}
for i = 1, take() do
  policies[i] = {
    strategy = take(),
    amount = take(),
    window_ms = take(),
    capacity = take(),
    ticks_per_ms = take(),
    ticks_per_token = take(),
  }
end

-- Texts count up from 1, logs down from -1.
local function take_claim()
  local index, policy, cost = take(), policies[take()], take()
  local key = KEYS[index > 0 and index or text_count - index]
  return { counter = counter_of(key, texts[index], policy), policy = policy, cost = cost }
end

local function take_claims(with_role)
  local claims = {}
  for i = 1, take() do
    claims[i] = take_claim()
    if with_role then
      claims[i].is_meta = take() == 1
      claims[i].parent = take()
    end
  end
  return claims
end

local reply = { server_at }

local function answer(verdicts)
  local size = #reply
  for _, said in ipairs(verdicts) do
    reply[size + 1] = said.allowed and 1 or 0
    reply[size + 2] = said.remaining
    reply[size + 3] = said.reset_after_ms
    reply[size + 4] = said.retry_after_ms
    reply[size + 5] = said.receipt
    reply[size + 6] = said.refunds_seen
    size = size + 6
  end
end

-- A running block is extended; a limit on breaches that is full stays full.
local function penalized(claim)
  if claim.policy.strategy == BLOCK_STRATEGY or test(claim, now).allowed then charge(claim, now) end
  return test(claim, now)
end

-- Charges all limits, or with `each` those that have room, unless a meta claim has none.
local function hit(claims, each)
  local verdicts, is_refused = {}, {}
  local some_refused, meta_refused = false, false
  for i, claim in ipairs(claims) do
    verdicts[i] = test(claim, now)
    if not verdicts[i].allowed then
      if claim.is_meta then meta_refused = true else is_refused[i], some_refused = true, true end
    end
  end
  for i, claim in ipairs(claims) do
    if meta_refused then
      heal(claim, now)
    elseif claim.is_meta then
      if some_refused and (claim.parent == 0 or is_refused[claim.parent]) then verdicts[i] = penalized(claim) end
    elseif (each or not some_refused) and not is_refused[i] then
      verdicts[i] = charge(claim, now)
    else
      heal(claim, now)
    end
  end
  return verdicts
end

local run = {}

run[HIT] = function()
  local each = take() == 1
  local claims = take_claims(true)
  return function() return hit(claims, each) end
end

run[TEST] = function()
  local claims = take_claims(false)
  return function()
    local verdicts = {}
    for i, claim in ipairs(claims) do verdicts[i] = test(claim, now) end
    return verdicts
  end
end

run[PENALIZE] = function()
  local claims = take_claims(false)
  return function()
    local verdicts = {}
    for i, claim in ipairs(claims) do verdicts[i] = penalized(claim) end
    return verdicts
  end
end

run[REFUND] = function()
  local charges = {}
  for i = 1, take() do charges[i] = { claim = take_claim(), receipt = take(), refunds_seen = take() } end
  return function()
    for _, charged in ipairs(charges) do refund(charged.claim, charged.receipt, charged.refunds_seen, now) end
    return {}
  end
end

run[CLEAR] = function()
  local claims = take_claims(false)
  return function()
    for _, claim in ipairs(claims) do forget(claim.counter) end
    return {}
  end
end

for _ = 1, take() do
  local kind, not_after = take(), take()
  local execute = run[kind]()
  local is_late = server_at >= not_after
  reply[#reply + 1] = is_late and 1 or 0
  if not is_late then answer(execute()) end
end

write_all(unix_ms - now + (has_test_clock and TEST_CLOCK_TTL_SLACK_MS or 0))

-- Lua 5.4 tells whole numbers from floats, and Redis-like servers with it may print floats.
if math.tointeger then
  for i = 1, #reply do reply[i] = math.tointeger(reply[i]) end
end
return reply
