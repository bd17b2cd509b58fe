-- Plain hits on fixed windows. What is stored is what fixed-window.lua stores; this is the same step, written for
-- many claims in one call: no table and no closure for each of them.
-- An answer is two numbers: `remaining`, or `-remaining - 1` of a claim without room; and the window's time left.

local FIRST_LONG_COUNT = 1000000
-- Six digits of a count after an instant that leaves room for them in a 64-bit integer.
local STORED_INTEGER, LONGEST_INTEGER = "^([1-9]%d*)(%d%d%d%d%d%d)$", 18

-- By place. A window's state is held at the first place of its key; `counts` is false at the others.
local counts, ends_at, loaded_counts, is_integer = {}, {}, {}, {}

local function load(place, text, policy)
  local window_ends_at, count, integer = nil, 0, false
  if text and #text <= LONGEST_INTEGER then
    window_ends_at, count = text:match(STORED_INTEGER)
    integer = window_ends_at and true
  end
  if integer then
    window_ends_at, count = window_ends_at + 0.0, count + 0.0
  elseif text and text:find(" ", 1, true) then
    count, window_ends_at = stored_numbers(text)
  end
  local latest_end_at = now + policy.window_ms
  if not window_ends_at or now >= window_ends_at then
    count, window_ends_at, integer = 0, latest_end_at, false
    loaded_counts[place] = 0
  elseif window_ends_at > latest_end_at then
    -- Another clock wrote it: no count equals this one, so that it is written anew.
    window_ends_at, integer = latest_end_at, false
    loaded_counts[place] = -1
  else
    loaded_counts[place] = count
  end
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

-- Adds to the stored integer, which keeps its expiry; false where there is none to add to.
local function add(place)
  local count = counts[place]
  if not is_integer[place] or count >= FIRST_LONG_COUNT then return false end
  local added = count - loaded_counts[place]
  call("INCRBY", KEYS[place], added == 1 and "1" or format("%.0f", added))
  return true
end

local function text_of(place)
  local count, window_ends_at = counts[place], ends_at[place]
  if count == 0 then return nil end
  local text = count < FIRST_LONG_COUNT and format("%.0f%06.0f", window_ends_at, count)
  return text and #text <= LONGEST_INTEGER and text or format("%.0f %.0f", count, window_ends_at)
end

local function expires_at(place)
  return ends_at[place]
end
