-- The usual case in scripts of its own: hits that charge all of their limits or none, without meta claims and logs.
-- A plain strategy is two functions; those of the only strategy, or ones that look it up, stand before this part:
--   judge(group, entry, policy)  brings the entry to its state as of now; says whether the policy's cost fits, and
--                                whether it healed what no clock of ours can have written
--   settle(slot, group, entry, policy, fits, is_charged)
--                                charges it, puts its answer into the reply, and gives the next free slot
--
-- KEYS     of each call its groups, in order; one may come several times
-- ARGV[1]  a JSON list of numbers, written by src/redis/plain-wire.ts:
--            has_test_clock, test_now
--            shape_count, for each: claim_count, group_count, and for each claim
--              group (from 0), id, strategy_number, amount, window_ms, capacity, ticks_per_ms, ticks_per_token, cost
--            run_count, for each: shape, not_after, call_count: so many hits of the same shape
-- Reply    a flat list of whole numbers: the server's clock, then for each run 1 when it came too late, else 0 and
--          the numbers of each claim's answer

local SHAPE_NUMBERS, CLAIM_NUMBERS, RUN_NUMBERS = 2, 9, 3

local texts = call("MGET", unpack(KEYS))
-- The first place of each key is its group's; the others have none.
local first_place, groups, is_changed = {}, {}, {}

local function group_at(place)
  local key = KEYS[place]
  local first = first_place[key]
  if first then return groups[first], first end
  first_place[key] = place
  local group = group_of(texts[place])
  groups[place] = group
  return group, place
end

-- Most groups hold the same limits in the same order.
local function find(group, policy)
  local entry = entry_in(group, policy.id) or add_entry(group, policy.id)
  policy.entry = entry
  return entry
end

local function hit_one(start, shape, slot)
  local policy = shape[1]
  local group, place = group_at(start)
  local entry = group[policy.entry] == policy.id and policy.entry or find(group, policy)
  local fits, is_healed = judge(group, entry, policy)
  if fits and policy.cost > 0 or is_healed then is_changed[place] = true end
  return settle(slot, group, entry, policy, fits, fits)
end

-- All limits of one client and counter: one value holds them.
local function hit_group(start, shape, slot)
  local group, place = group_at(start)
  local all_fit, is_charged = true, false
  for i = 1, #shape do
    local policy = shape[i]
    local entry = group[policy.entry] == policy.id and policy.entry or find(group, policy)
    local fits, is_healed = judge(group, entry, policy)
    policy.fits = fits
    if is_healed then is_changed[place] = true end
    if not fits then all_fit = false elseif policy.cost > 0 then is_charged = true end
  end
  if all_fit and is_charged then is_changed[place] = true end
  for i = 1, #shape do
    local policy = shape[i]
    slot = settle(slot, group, policy.entry, policy, policy.fits, all_fit)
  end
  return slot
end

local function hit_groups(start, shape, slot)
  local all_fit = true
  for i = 1, #shape do
    local policy = shape[i]
    local group, place = group_at(start + policy.group_number)
    local entry = group[policy.entry] == policy.id and policy.entry or find(group, policy)
    local fits, is_healed = judge(group, entry, policy)
    if is_healed then is_changed[place] = true end
    policy.fits, policy.group, policy.place = fits, group, place
    all_fit = all_fit and fits
  end
  for i = 1, #shape do
    local policy = shape[i]
    if all_fit and policy.cost > 0 then is_changed[policy.place] = true end
    slot = settle(slot, policy.group, policy.entry, policy, policy.fits, all_fit)
  end
  return slot
end

local function read_policy(at, entry)
  return {
    group_number = input[at],
    id = input[at + 1],
    strategy = input[at + 2],
    amount = input[at + 3],
    window_ms = input[at + 4],
    capacity = input[at + 5],
    ticks_per_ms = input[at + 6],
    ticks_per_token = input[at + 7],
    cost = input[at + 8],
    -- Of the last call: where its entry was, in which group, at which place, and what was found.
    entry = entry,
    group = false,
    place = 0,
    fits = false,
  }
end

local shapes, position = {}, 4
for i = 1, input[3] do
  local shape, at = {}, position + SHAPE_NUMBERS
  for j = 1, input[position] do
    shape[j] = read_policy(at, FIRST_ENTRY + (j - 1) * ENTRY_NUMBERS)
    at = at + CLAIM_NUMBERS
  end
  shape.group_count = input[position + 1]
  shapes[i], position = shape, at
end

local place, slot = 1, 2
local run = position + 1
for _ = 1, input[position] do
  local shape, is_late, call_count = shapes[input[run]], server_at >= input[run + 1], input[run + 2]
  local group_count = shape.group_count
  local hit = #shape == 1 and hit_one or group_count == 1 and hit_group or hit_groups
  reply[slot] = is_late and 1 or 0
  slot = slot + 1
  if is_late then
    place = place + call_count * group_count
    call_count = 0
  end
  for _ = 1, call_count do
    slot = hit(place, shape, slot)
    place = place + group_count
  end
  run = run + RUN_NUMBERS
end

local look_at_every = ceil(#KEYS / MOST_EXPIRIES_LOOKED_AT)
for at = 1, #KEYS do
  local group = groups[at]
  if group then
    if is_changed[at] then write(KEYS[at], group) end
    if texts[at] and (at + server_at) % look_at_every == 0 then look_after(KEYS[at], group) end
  end
end
