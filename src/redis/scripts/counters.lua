-- The counters of this call: entries of groups, and logs, which have keys of their own.
-- A strategy has
--   load(counter, policy, ends_at, first, second)
--                         brings the counter to its state as of now, from its entry's numbers or its key. What no
--                         clock of ours can have written is clamped, and `is_healed` set
--   test(counter, cost)   returns the six parts of a verdict: allowed (true or false), remaining, reset_after_ms,
--                         retry_after_ms, receipt, refunds_seen
--   charge(counter, cost) charges what a test has allowed, and returns the verdict after it
--   refund(counter, cost, receipt, refunds_seen)
--   numbers(counter)      what its entry holds; expires_at(counter) and forget(counter) where it is a log
-- and equals its twin in src/core/strategies step by step. Each is made by a function, so that a call pays only for
-- what it uses.

local BLOCK_STRATEGY = 5
local makers = { make_fixed_window, make_moving_window, make_sliding_window, make_token_bucket, make_block }
local made = {}

local function strategy_of(number)
  made[number] = made[number] or makers[number]()
  return made[number]
end

local texts, groups, counters = {}, {}, {}

-- All fields are named at once, so that the table has its size from the start.
local function counter_in(group_number, id, policy)
  local group = groups[group_number] or group_of(texts[group_number])
  groups[group_number] = group
  local entry = entry_in(group, id)
  local counter = {
    policy = policy,
    group_number = group_number,
    id = id,
    entry = entry,
    is_healed = false,
    is_changed = false,
    is_looked_at = false,
  }
  if entry then
    policy.strategy.load(counter, policy, group[entry + 1], group[entry + 2], group[entry + 3])
  else
    policy.strategy.load(counter, policy, 0, 0, 0)
  end
  return counter
end

local function counter_of_log(key, policy)
  local counter = { policy = policy, key = key, is_changed = false, is_looked_at = false }
  policy.strategy.load(counter, policy)
  return counter
end

-- Also what was not ours goes.
local function forget(counter)
  local strategy = counter.policy.strategy
  if counter.log then strategy.forget(counter) else strategy.load(counter, counter.policy, 0, 0, 0) end
  counter.exists, counter.is_changed = true, true
end

local function write_log(counter)
  local log = counter.log
  if not log:is_empty() then
    local ends_at = counter.policy.strategy.expires_at(counter)
    log:save(format("%.0f", ends_at + server_offset_ms + EPOCH_UNIX_MS))
  elseif counter.exists then
    call("DEL", counter.key)
  end
end

-- A counter that is only looked at keeps what it holds, unless another clock wrote it or its expiry was lost.
local function heal_log(counter)
  if not counter.exists then return end
  if counter.is_healed or call("PTTL", counter.key) == -1 then write_log(counter) end
end

local is_group_changed, is_group_looked_at = {}, {}

-- Puts what a counter has become into its group, where the group is to be written.
local function settle(counter)
  local number = counter.group_number
  is_group_looked_at[number] = is_group_looked_at[number] or counter.is_looked_at
  if not counter.is_changed and not (counter.is_looked_at and counter.is_healed) then return end
  is_group_changed[number] = true
  local ends_at, first, second = counter.policy.strategy.numbers(counter)
  local is_state = ends_at > now and first + second > 0
  if not is_state and not counter.entry then return end
  local group = groups[number]
  local entry = counter.entry or add_entry(group, counter.id)
  group[entry + 1], group[entry + 2], group[entry + 3] = ends_at, first, second
  -- What outlives its key, or is to be dropped, is not written over.
  if not is_state or ends_at + server_offset_ms > group[2] then group[1] = NO_MARK end
end

-- First all that may fail, then all that writes.
local function write_all()
  for _, counter in pairs(counters) do
    if not counter.log then settle(counter) end
  end
  for _, counter in pairs(counters) do
    if counter.log and counter.is_changed then
      write_log(counter)
    elseif counter.log and counter.is_looked_at then
      heal_log(counter)
    end
  end
  for number, group in pairs(groups) do
    if is_group_changed[number] then write(KEYS[number], group) end
    if is_group_looked_at[number] and texts[number] then look_after(KEYS[number]) end
  end
end
