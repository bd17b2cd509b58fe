-- Plain hits on fixed windows. What is stored is what fixed-window.lua stores; this is the same step, written for
-- many claims in one call: no table and no closure for each of them.
-- An answer is two numbers: `remaining`, or `-remaining - 1` of a claim without room; and the window's time left.

local COUNT_UNIT = 32768
local LARGEST_EXACT = 2 ^ 53

-- By place. A window's state is held at the first place of its key; `counts` is false at the others.
local counts, ends_at, loaded_counts, is_integer = {}, {}, {}, {}

-- Count, end, and whether they are one integer. A text that only looks like one is found by INCRBY.
local function read(text)
  if not text then return 0, nil, false end
  local number = tonumber(text)
  if number and number >= 0 and number < LARGEST_EXACT and number == floor(number) then
    return number % COUNT_UNIT, floor(number / COUNT_UNIT), true
  end
  local count, window_ends_at = stored_numbers(text)
  return count, window_ends_at, false
end

local function load(place, text, policy)
  local latest_end_at = now + policy.window_ms
  local count, window_ends_at, integer = read(text)
  local loaded_count = count
  if not window_ends_at or now >= window_ends_at then
    count, loaded_count, window_ends_at, integer = 0, 0, latest_end_at, false
  elseif window_ends_at > latest_end_at then
    -- Another clock wrote it: no count equals this one, so that it is written anew.
    loaded_count, window_ends_at, integer = -1, latest_end_at, false
  end
  loaded_counts[place] = loaded_count
  counts[place], ends_at[place], is_integer[place] = min(count, policy.amount), window_ends_at, integer
end

local function has_room(place, policy)
  return counts[place] + policy.cost <= policy.amount and policy.amount > 0
end

local function charge(place, policy)
  counts[place] = counts[place] + policy.cost
end

local function say(slot, place, policy, fits)
  local remaining = policy.amount - counts[place]
  reply[slot] = fits and remaining or -remaining - 1
  reply[slot + 1] = ends_at[place] - now
end

local function is_changed(place)
  return counts[place] ~= loaded_counts[place]
end

-- What to add to the stored integer; nil where there is none to add to.
local function added(place)
  local count = counts[place]
  if not is_integer[place] or count >= COUNT_UNIT then return nil end
  local more = count - loaded_counts[place]
  return more == 1 and "1" or format("%.0f", more)
end

local KEEPS_EXPIRY_WHEN_ADDED = true

-- The text that was made last: windows that open in one call are often the same.
local last_count, last_ends_at, last_text

local function text_of(place)
  local count, window_ends_at = counts[place], ends_at[place]
  if count == 0 then return nil end
  if count == last_count and window_ends_at == last_ends_at then return last_text end
  local number = window_ends_at * COUNT_UNIT + count
  local is_short = count < COUNT_UNIT and number < LARGEST_EXACT
  last_count, last_ends_at = count, window_ends_at
  last_text = is_short and format("%.0f", number) or format("%.0f %.0f", count, window_ends_at)
  return last_text
end

local function expires_at(place)
  return ends_at[place]
end
