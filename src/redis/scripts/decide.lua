-- Decides a list of calls, one after the other, as if each had come alone.
--
-- KEYS     first those of groups, then those of logs
-- ARGV[1]  a JSON list of numbers, written by src/redis/wire.ts:
--            has_test_clock, test_now, group_count
--            entry_count, for each: group, id
--            policy_count, for each: strategy_number, amount, window_ms, capacity, ticks_per_ms, ticks_per_token
--            call_count, for each: kind, not_after, each, claim_count, and for each claim
--              counter (entries count up from 1, logs down from -1), policy, cost, and two more:
--              of a hit is_meta and parent (0: any), of a refund receipt and refunds_seen
-- Reply    doubles, in one string, as a client takes in a string at once but a list number by number: the server's
--          clock, then for each call 1 when it came too late, else 0 and six numbers for each verdict

local HIT, TEST, REFUND, CLEAR, PENALIZE = 1, 2, 3, 4, 5
local POLICY_NUMBERS, CALL_NUMBERS, CLAIM_NUMBERS, VERDICT_NUMBERS = 6, 4, 5, 6
-- As many at a time as surely fit on Lua's stack.
local PACKED_AT_ONCE = 1000

local reply = { server_at }

local group_count, entry_count = input[3], input[4]
texts = group_count > 0 and call("MGET", unpack(KEYS, 1, group_count)) or {}
local ENTRIES_AT = 5

local policies = {}
local position = ENTRIES_AT + 2 * entry_count + 1
for i = 1, input[position - 1] do
  policies[i] = {
    is_block = input[position] == BLOCK_STRATEGY,
    strategy = strategy_of(input[position]),
    amount = input[position + 1],
    window_ms = input[position + 2],
    capacity = input[position + 3],
    ticks_per_ms = input[position + 4],
    ticks_per_token = input[position + 5],
  }
  position = position + POLICY_NUMBERS
end

-- A claim is known by the place of its first number in the input.
local function counter_of(claim)
  local index = input[claim]
  local counter = counters[index]
  if counter then return counter end
  local policy, at = policies[input[claim + 1]], ENTRIES_AT + 2 * (index - 1)
  if index > 0 then
    counter = counter_in(input[at], input[at + 1], policy)
  else
    counter = counter_of_log(KEYS[group_count - index], policy)
  end
  counters[index] = counter
  return counter
end

local function say(slot, allowed, remaining, reset_after_ms, retry_after_ms, receipt, refunds_seen)
  reply[slot] = allowed and 1 or 0
  reply[slot + 1] = remaining
  reply[slot + 2] = reset_after_ms
  reply[slot + 3] = retry_after_ms
  reply[slot + 4] = receipt
  reply[slot + 5] = refunds_seen
  return allowed
end

local function test(claim, slot)
  local counter = counter_of(claim)
  return say(slot, counter.policy.strategy.test(counter, input[claim + 2]))
end

-- To be called only after a test that allowed it.
local function charge(claim, slot)
  local counter = counter_of(claim)
  counter.is_changed = true
  say(slot, counter.policy.strategy.charge(counter, input[claim + 2]))
end

-- A running block is extended; a limit on breaches that is full stays full. Neither has refused: what it says is
-- how long it will from now on.
local function penalize(claim, slot)
  if test(claim, slot) or counter_of(claim).policy.is_block then charge(claim, slot) end
  test(claim, slot)
  reply[slot] = 1
end

local function place_of(i, claims)
  return claims + (i - 1) * CLAIM_NUMBERS
end

-- Charges all limits, or with `each` those that have room, unless a meta claim has none.
local function hit(claims, count, slot, each)
  local limit_refused, meta_refused, is_refused = false, false, nil
  for i = 1, count do
    local claim = place_of(i, claims)
    if not test(claim, slot + (i - 1) * VERDICT_NUMBERS) then
      is_refused = is_refused or {}
      is_refused[i] = true
      if input[claim + 3] == 1 then meta_refused = true else limit_refused = true end
    end
  end
  for i = 1, count do
    local claim, said = place_of(i, claims), slot + (i - 1) * VERDICT_NUMBERS
    local is_meta, parent = input[claim + 3] == 1, input[claim + 4]
    if not meta_refused and is_meta and limit_refused and (parent == 0 or is_refused[parent]) then
      penalize(claim, said)
    elseif not meta_refused and not is_meta and (not limit_refused or each and not is_refused[i]) then
      charge(claim, said)
    else
      counter_of(claim).is_looked_at = true
    end
  end
end

-- The same for the usual call: one limit.
local function hit_one(claim, slot)
  local counter, cost = counter_of(claim), input[claim + 2]
  local strategy = counter.policy.strategy
  local allowed, remaining, reset_after_ms, retry_after_ms, receipt, refunds_seen = strategy.test(counter, cost)
  if allowed then
    counter.is_changed = true
    say(slot, strategy.charge(counter, cost))
  else
    counter.is_looked_at = true
    say(slot, false, remaining, reset_after_ms, retry_after_ms, receipt, refunds_seen)
  end
end

local function refund(claim)
  local counter = counter_of(claim)
  local cost, receipt, refunds_seen = input[claim + 2], input[claim + 3], input[claim + 4]
  counter.policy.strategy.refund(counter, cost, receipt, refunds_seen)
  counter.is_changed = true
end

local function execute(kind, claims, count, each)
  local slot = #reply + 1
  if kind == HIT and count == 1 and input[claims + 3] == 0 then return hit_one(claims, slot) end
  if kind == HIT then return hit(claims, count, slot, each) end
  for i = 1, count do
    local claim, said = place_of(i, claims), slot + (i - 1) * VERDICT_NUMBERS
    if kind == TEST then
      test(claim, said)
    elseif kind == PENALIZE then
      penalize(claim, said)
    elseif kind == REFUND then
      refund(claim)
    elseif kind == CLEAR then
      forget(counter_of(claim))
    end
  end
end

local call_count = input[position]
local question = position + 1
for _ = 1, call_count do
  local not_after, count = input[question + 1], input[question + 3]
  local is_late = server_at >= not_after
  reply[#reply + 1] = is_late and 1 or 0
  if not is_late then execute(input[question], question + CALL_NUMBERS, count, input[question + 2] == 1) end
  question = question + CALL_NUMBERS + count * CLAIM_NUMBERS
end

write_all()

local parts = {}
for first = 1, #reply, PACKED_AT_ONCE do
  local last = min(first + PACKED_AT_ONCE - 1, #reply)
  parts[#parts + 1] = to_bytes("<" .. ("d"):rep(last - first + 1), unpack(reply, first, last))
end
return table.concat(parts)
