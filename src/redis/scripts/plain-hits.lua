local texts = call("MGET", unpack(KEYS))
-- Where the state of a key is held.
local place_of = {}

local function place_for(place, policy)
  local key = KEYS[place]
  local held_at = place_of[key]
  if held_at then
    counts[place] = false
    return held_at
  end
  place_of[key] = place
  load(place, texts[place], policy)
  return place
end

local function hit_one(place, policy, slot)
  local held_at = place_for(place, policy)
  local fits = has_room(held_at, policy)
  if fits then charge(held_at, policy) end
  say(slot, held_at, policy, fits)
end

local function hit_all(first, shape, count, slot)
  local all_fit = true
  for i = 1, count do
    local fits = has_room(place_for(first + i - 1, shape[i]), shape[i])
    shape[i].fits = fits
    all_fit = all_fit and fits
  end
  for i = 1, count do
    local policy = shape[i]
    local held_at = place_of[KEYS[first + i - 1]]
    if all_fit then charge(held_at, policy) end
    say(slot + 2 * (i - 1), held_at, policy, policy.fits)
  end
end

local shapes, position = {}, 4
for i = 1, input[3] do
  local shape = {}
  for j = 1, input[position] do
    local at = position + (j - 1) * 6
    shape[j] = {
      amount = input[at + 1],
      window_ms = input[at + 2],
      capacity = input[at + 3],
      ticks_per_ms = input[at + 4],
      ticks_per_token = input[at + 5],
      cost = input[at + 6],
      fits = false,
    }
  end
  shapes[i] = shape
  position = position + 1 + #shape * 6
end

local place, slot = 1, 2
local run = position + 1
for _ = 1, input[position] do
  local shape, is_late, call_count = shapes[input[run]], server_at >= input[run + 1], input[run + 2]
  local count = #shape
  reply[slot] = is_late and 1 or 0
  slot = slot + 1
  if is_late then
    place = place + call_count * count
    call_count = 0
  end
  for _ = 1, call_count do
    if count == 1 then hit_one(place, shape[1], slot) else hit_all(place, shape, count, slot) end
    place, slot = place + count, slot + 2 * count
  end
  run = run + 3
end

-- From here on nothing may fail, as Redis takes nothing back.
local unix_offset_ms = unix_ms - now + (has_test_clock and TEST_CLOCK_TTL_SLACK_MS or 0)
local look_at_every = ceil(#KEYS / MOST_EXPIRIES_LOOKED_AT)

-- The expiry that was written last, as text.
local last_expires_at, last_expiry

local function expiry_of(at)
  local instant = expires_at(at)
  if instant ~= last_expires_at then
    last_expires_at, last_expiry = instant, format("%.0f", instant + unix_offset_ms)
  end
  return last_expiry
end

-- INCRBY costs a fourth of SET, and INCRBY with PEXPIREAT half of SET with PXAT. It changes nothing where the key
-- holds something else than an integer.
local function try_add(at, more)
  return type(try("INCRBY", KEYS[at], more)) == "number"
end

local function write_anew(at)
  local text = text_of(at)
  if not text then
    if texts[at] then call("DEL", KEYS[at]) end
  elseif not texts[at] and not text:find(" ", 1, true) and try_add(at, text) then
    call("PEXPIREAT", KEYS[at], expiry_of(at))
  else
    call("SET", KEYS[at], text, "PXAT", expiry_of(at))
  end
end

-- True when the key kept the expiry that it had.
local function write(at)
  local more = added(at)
  if not more or not try_add(at, more) then
    write_anew(at)
    return false
  end
  if not KEEPS_EXPIRY_WHEN_ADDED then call("PEXPIREAT", KEYS[at], expiry_of(at)) end
  return KEEPS_EXPIRY_WHEN_ADDED
end

for at = 1, #KEYS do
  if counts[at] then
    local keeps_expiry = texts[at]
    if is_changed(at) then keeps_expiry = write(at) end
    local is_looked_at = keeps_expiry and (at + server_at) % look_at_every == 0
    -- An expiry that was lost is put back.
    if is_looked_at and call("PTTL", KEYS[at]) == -1 then write_anew(at) end
  end
end

if math.tointeger then
  for i = 1, #reply do reply[i] = math.tointeger(reply[i]) end
end
return reply
