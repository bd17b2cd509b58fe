-- The usual case in scripts of its own: hits that charge all of their limits or none, without meta claims and logs.
-- A plain strategy is two functions; those of the only strategy, or ones that dispatch, stand before this part:
--   charge(group, policies)            brings each policy's entry to its state as of now, and charges all of them, or
--                                      none if one has no room; says whether it did, and whether it healed what no
--                                      clock of ours can have written
--   take_back(group, policies, count)  undoes what it has just charged to the first ones
--
-- KEYS     of each call its groups, in order; one may come several times
-- ARGV[1]  a JSON list of numbers, written by src/redis/plain-wire.ts:
--            has_test_clock, test_now, has_twins: some key comes several times
--            shape_count, for each: group_count, for each: claim_count, and for each claim
--              id, strategy_number, amount, window_ms, capacity, ticks_per_ms, ticks_per_token, cost
--            run_count, for each: shape, not_after, call_count: so many hits of the same shape
-- Reply    the server's clock as a double; then for each call LATE, or CHARGED or REFUSED and what its groups hold
--          thereafter: each as a stored value of the call's entries, in order. What follows from that the client
--          knows as well.

local CLAIM_NUMBERS, RUN_NUMBERS = 8, 3
local REFUSED, CHARGED, LATE = "\0", "\1", "\2"

local parts, slot = { to_bytes("<d", server_at) }, 2
local texts = call("MGET", unpack(KEYS))

-- What a group holds, and whether that is all of what it holds.
local function answer(group, policies)
  if is_all_of(group, policies) then return to_bytes(policies.layout, unpack(group)), true end
  return excerpt(group, policies), false
end

-- The usual call: each has one group, and no two share one. Then a group is written at once.
local function hit_alone(place, policies)
  local group = group_of(texts[place])
  local fits, is_healed = charge(group, policies)
  local bytes, is_whole = answer(group, policies)
  if fits and policies.has_cost or is_healed then write(KEYS[place], group, is_whole and bytes) end
  parts[slot], parts[slot + 1], slot = fits and CHARGED or REFUSED, bytes, slot + 2
end

-- Otherwise all are kept until the end: by place, the group of a key stands at the key's first place.
local groups, first_place, is_changed = {}, {}, {}

local function keep_groups()
  local place_of_key = {}
  for place = 1, #KEYS do
    local key = KEYS[place]
    local first = place_of_key[key] or place
    place_of_key[key], first_place[place] = first, first
    if first == place then groups[place] = group_of(texts[place]) end
  end
end

local function write_groups()
  for place in pairs(is_changed) do write(KEYS[place], groups[place]) end
end

local function hit_groups(start, shape)
  local all_fit = true
  for i = 1, #shape do
    local policies, place = shape[i], first_place[start + i]
    local fits, is_healed = charge(groups[place], policies)
    policies.is_charged, all_fit = fits, all_fit and fits
    if is_healed then is_changed[place] = true end
  end
  for i = #shape, 1, -1 do
    local policies, place = shape[i], first_place[start + i]
    if all_fit and policies.has_cost then is_changed[place] = true end
    if not all_fit and policies.is_charged then take_back(groups[place], policies, #policies) end
  end
  parts[slot] = all_fit and CHARGED or REFUSED
  for i = 1, #shape do parts[slot + i] = answer(groups[first_place[start + i]], shape[i]) end
  slot = slot + #shape + 1
end

local function read_policy(at, number)
  local amount = input[at + 2]
  local policy = {
    id = input[at],
    strategy = input[at + 1],
    amount = amount,
    -- Not even a cost of 0 fits where nothing is allowed.
    most = amount > 0 and amount or -1,
    window_ms = input[at + 3],
    capacity = input[at + 4],
    ticks_per_ms = input[at + 5],
    ticks_per_token = input[at + 6],
    cost = input[at + 7],
    -- Where its entry was in the last group, and what its strategy notes there.
    entry = FIRST_ENTRY + (number - 1) * ENTRY_NUMBERS,
    found_ends_at = 0,
    found_full_at = 0,
    is_charged = false,
    alone = false,
  }
  policy.alone = { policy }
  return policy
end

-- A call may fail for more limits than a value holds, and that only before anything is written.
local MOST_ALONE = MOST_ENTRIES / 2

local function is_any_crowded()
  for place = 1, #texts do
    local text = texts[place]
    if text and #text > MOST_BYTES_UNCROWDED then return true end
  end
  return false
end

local shapes, position, is_any_large = {}, 5, false
for i = 1, input[4] do
  local shape = {}
  position = position + 1
  for j = 1, input[position - 1] do
    local count = input[position]
    local policies = { has_cost = false, is_charged = false, numbers = HEADER_NUMBERS + count * ENTRY_NUMBERS }
    policies.layout = HEADER_FORMAT .. ENTRY_FORMAT:rep(count)
    for k = 1, count do
      policies[k] = read_policy(position + 1 + (k - 1) * CLAIM_NUMBERS, k)
      policies.has_cost = policies.has_cost or policies[k].cost > 0
    end
    position = position + 1 + count * CLAIM_NUMBERS
    shape[j], is_any_large = policies, is_any_large or j > 1 or count > MOST_ALONE
  end
  shapes[i] = shape
end

local keeps_groups = is_any_large or input[3] == 1 or is_any_crowded()
if keeps_groups then keep_groups() end

local place, run = 1, position + 1
for _ = 1, input[position] do
  local shape, is_late = shapes[input[run]], server_at >= input[run + 1]
  local group_count, policies = #shape, shape[1]
  for _ = 1, input[run + 2] do
    if is_late then
      parts[slot], slot = LATE, slot + 1
    elseif keeps_groups then
      hit_groups(place - 1, shape)
    else
      hit_alone(place, policies)
    end
    place = place + group_count
  end
  run = run + RUN_NUMBERS
end
if keeps_groups then write_groups() end

local look_at_every = ceil(#KEYS / MOST_EXPIRIES_LOOKED_AT)
for at = 1 + server_at % look_at_every, #KEYS, look_at_every do
  if texts[at] then look_after(KEYS[at]) end
end

return table.concat(parts)
