-- Plain hits on token buckets. What is stored is what token-bucket.lua stores; this is the same step, written for
-- many claims in one call: no table and no closure for each of them.
-- An answer is two numbers: the ticks that are available, or `-available - 1` of a claim without room; and what was
-- refunded, in ticks.

-- By place, in ticks. A bucket's state is held at the first place of its key; `counts` is false at the others.
local counts, full_at, refunded, keep_until, ticks_per_ms, changed = {}, {}, {}, {}, {}, {}
-- What the key holds, when it is one integer and means what it says; else false.
local stored_full_at = {}

local LARGEST_EXACT = 2 ^ 53

-- Patterns are slow. What is written as no integer of ours is never added to: INCRBY itself refuses it.
local function read(text)
  local full = text and tonumber(text)
  if full and full >= 1 and full < LARGEST_EXACT and full == floor(full) then return full + 0.0, 0, full + 0.0 end
  return stored_numbers(text)
end

local function load(place, text, policy)
  local now_ticks = now * policy.ticks_per_ms
  local empty = now_ticks + policy.capacity * policy.ticks_per_token
  local full, given_back, keep = read(text)
  keep = keep or full
  stored_full_at[place] = keep == full and given_back == 0 and full or false
  if not full or keep <= now_ticks then
    full, given_back, keep = now_ticks, 0, now_ticks
  elseif full > empty or keep > empty then
    -- Emptier than empty: another clock wrote it.
    full, keep, changed[place] = min(full, empty), min(keep, empty), true
  end
  full_at[place], refunded[place], keep_until[place] = max(full, now_ticks), given_back or 0, keep
  ticks_per_ms[place], counts[place] = policy.ticks_per_ms, true
end

local function available(place, policy)
  return now * policy.ticks_per_ms + policy.capacity * policy.ticks_per_token - full_at[place]
end

local function has_room(place, policy)
  return policy.cost * policy.ticks_per_token <= available(place, policy) and policy.amount > 0
end

local function charge(place, policy)
  local full = full_at[place] + policy.cost * policy.ticks_per_token
  full_at[place], keep_until[place], changed[place] = full, max(keep_until[place], full), true
end

local function say(slot, place, policy, fits)
  local ticks = available(place, policy)
  reply[slot] = fits and ticks or -ticks - 1
  reply[slot + 1] = refunded[place]
end

local function is_changed(place)
  return changed[place]
end

-- What to add to the stored integer; nil where there is none to add to, or nothing to keep.
local function added(place)
  local stored, full = stored_full_at[place], full_at[place]
  if not stored or refunded[place] ~= 0 or keep_until[place] ~= full then return nil end
  if full <= now * ticks_per_ms[place] then return nil end
  return format("%.0f", full - stored)
end

local KEEPS_EXPIRY_WHEN_ADDED = false

local function text_of(place)
  local full, given_back, keep = full_at[place], refunded[place], keep_until[place]
  if keep <= now * ticks_per_ms[place] then return nil end
  if given_back == 0 and keep == full then return format("%.0f", full) end
  return format("%.0f %.0f %.0f", full, given_back, keep)
end

local function expires_at(place)
  return ceil(keep_until[place] / ticks_per_ms[place])
end
