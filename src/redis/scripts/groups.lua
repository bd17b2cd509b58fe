-- All limits of one client and counter lie in one value, a group: a mark, and until when the key was told to live
-- on the server's clock; then four numbers for each limit, its entry:
--   id       which limit it is
--   ends_at  from then on the entry equals no state, as it does when both of the others are 0
--   two numbers that its strategy keeps
-- In a call a group is a list of these numbers, and an entry is known by the place of its first one. A key is read
-- once before, and written once after all is decided, however often it is charged. After the first write nothing
-- may fail, as Redis takes nothing back.

local NO_MARK = 0
local HEADER_NUMBERS, ENTRY_NUMBERS = 2, 4
local FIRST_ENTRY = HEADER_NUMBERS + 1
-- More would not fit on Lua's stack. They end by themselves, so it takes as many different limits at the same time.
local MOST_ENTRIES = 1000
local MOST_BYTES_UNCROWDED = HEADER_BYTES + MOST_ENTRIES / 2 * ENTRY_BYTES
-- In a large call not every key's expiry is looked at, but as many; which ones changes with the time.
local MOST_EXPIRIES_LOOKED_AT = 4

-- Redis takes no later one than an integer of its own; a bucket without measure may be full later still.
local LATEST_EXPIRY = 2 ^ 53

local read_bytes, to_bytes = struct.unpack, struct.pack

-- How a text of so many bytes reads, made when it is met first: its format, and how many numbers it holds.
local format_of_bytes, numbers_of_bytes, format_of_numbers = {}, {}, {}

local function meet(bytes)
  local entries = (bytes - HEADER_BYTES) / ENTRY_BYTES
  local is_group = entries >= 1 and entries <= MOST_ENTRIES and entries == floor(entries)
  local made = is_group and HEADER_FORMAT .. ENTRY_FORMAT:rep(entries)
  local numbers = HEADER_NUMBERS + entries * ENTRY_NUMBERS
  format_of_bytes[bytes], numbers_of_bytes[bytes], format_of_numbers[numbers] = made, numbers, made
  return made
end

-- Only the entries that are still state; and when the last of them ends.
local function live_part(group)
  local live, latest_end_at, numbers = { MARK, 0 }, 0, HEADER_NUMBERS
  for entry = FIRST_ENTRY, #group, ENTRY_NUMBERS do
    local ends_at, first, second = group[entry + 1], group[entry + 2], group[entry + 3]
    if ends_at > now and (first > 0 or second > 0) then
      live[numbers + 1], live[numbers + 2], live[numbers + 3], live[numbers + 4] = group[entry], ends_at, first, second
      latest_end_at, numbers = max(latest_end_at, ends_at), numbers + ENTRY_NUMBERS
    end
  end
  return live, latest_end_at
end

-- In a crowded value what has ended makes room at once: it would not before the value is written anew.
local function without_ended(group)
  local live = live_part(group)
  live[1], live[2] = #live == #group and MARK or NO_MARK, group[2]
  return live
end

-- The numbers of a stored text; of none, or of one that was not written here, those of an empty group.
local function group_of(text)
  if not text then return { NO_MARK, 0 } end
  local bytes = #text
  local layout = format_of_bytes[bytes]
  if layout == nil then layout = meet(bytes) end
  if not layout then return { NO_MARK, 0 } end
  local group = { read_bytes(layout, text) }
  if group[1] ~= MARK then return { NO_MARK, 0 } end
  -- Behind the numbers stands where reading stopped.
  group[numbers_of_bytes[bytes] + 1] = nil
  return bytes > MOST_BYTES_UNCROWDED and without_ended(group) or group
end

-- The place of a limit's entry; nil when it has none.
local function entry_in(group, id)
  for entry = FIRST_ENTRY, #group, ENTRY_NUMBERS do
    if group[entry] == id then return entry end
  end
  return nil
end

-- Adds an entry that is no state yet. A group that grows is written anew, which drops what has ended.
local function add_entry(group, id)
  local entry = #group + 1
  if entry > MOST_ENTRIES * ENTRY_NUMBERS then error("express-limits: one counter has too many limits") end
  group[1], group[entry], group[entry + 1], group[entry + 2], group[entry + 3] = NO_MARK, id, 0, 0, 0
  return entry
end

local function bytes_of(group)
  local numbers = #group
  local layout = format_of_numbers[numbers]
  if not layout then layout = meet(HEADER_BYTES + (numbers - HEADER_NUMBERS) / ENTRY_NUMBERS * ENTRY_BYTES) end
  return to_bytes(layout, unpack(group))
end

-- The expiry that was written last, as text: windows that open in one call often end together.
local last_expires_at, last_expiry

local function expiry_text(expires_at)
  if expires_at ~= last_expires_at then
    last_expires_at, last_expiry = expires_at, format("%.0f", expires_at + EPOCH_UNIX_MS)
  end
  return last_expiry
end

-- An expiry that has to move moves twice as far, and none is nearer than a second: so it does not move with every
-- hit, however fast a limit forgets.
local function write_anew(key, group)
  local live, latest_end_at = live_part(group)
  if #live == HEADER_NUMBERS then
    call("DEL", key)
    return
  end
  local lived_until, expires_at = group[2], latest_end_at + server_offset_ms
  if lived_until > server_at and expires_at > lived_until then expires_at = 2 * expires_at - server_at end
  expires_at = min(max(expires_at, server_at + SHORTEST_LIFE_MS), LATEST_EXPIRY)
  live[2] = expires_at
  call("SET", key, bytes_of(live), "PXAT", expiry_text(expires_at))
end

-- A changed group is written over the stored one, which keeps the key's expiry, where it may: without a mark it
-- is written anew. Its bytes may be given where they are known.
local function write(key, group, bytes)
  if group[1] == NO_MARK then write_anew(key, group) else call("SETRANGE", key, "0", bytes or bytes_of(group)) end
end

-- Puts back an expiry that was lost. To be called after all is written.
local function look_after(key)
  if call("PTTL", key) == -1 then write_anew(key, group_of(call("GET", key))) end
end
