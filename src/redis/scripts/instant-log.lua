-- The moving window's log: a string of entries of 13 bytes, oldest first. An entry holds an instant and the sum
-- of all costs up to and including it, so that any question is a binary search and no hit reads the whole log.
-- Entry 1 is a mark: the text "moving" for the instant, and the sum before entry 2. Entries that left the window
-- stay at the start until they outnumber the others.

local function make_instant_log()
  local ENTRY_BYTES, ENTRY_FORMAT = 13, ">I6I7"
  local BLOCK_ENTRIES = 64
  local MARK_AT = struct.unpack(">I6", "moving")
  local MOST_ENTRIES = 2 ^ 24
  local LARGEST_SUM = 2 ^ 53

  local instant_log = {}
  instant_log.__index = instant_log

  -- `first` and `last` are the live entries, `stored` is how many the key holds.
  local function new_log(key, stored)
    local log = { key = key, first = 2, last = stored, stored = stored, blocks = {}, edited = {} }
    return setmetatable(log, instant_log)
  end

  function instant_log.empty(key)
    local log = new_log(key, 0)
    log:edit(1, MARK_AT, 0)
    log.last, log.edited_from = 1, nil
    return log
  end

  -- The log at a key, an empty one when there is none or something else; and whether the key exists.
  function instant_log.load(key)
    local bytes = redis.pcall("STRLEN", key)
    if bytes == 0 then return instant_log.empty(key), false end
    if type(bytes) ~= "number" or bytes % ENTRY_BYTES ~= 0 then return instant_log.empty(key), true end
    local log = new_log(key, bytes / ENTRY_BYTES)
    local is_ours = log:at(1) == MARK_AT and log:sum(1) <= log:sum(log.last)
    return is_ours and log or instant_log.empty(key), true
  end

  -- The bytes of the stored entries `from` to `to`.
  function instant_log:bytes(from, to)
    return call("GETRANGE", self.key, (from - 1) * ENTRY_BYTES, to * ENTRY_BYTES - 1)
  end

  function instant_log:entry(i)
    local edited = self.edited[i]
    if edited then return edited.at, edited.sum end
    local number = floor((i - 1) / BLOCK_ENTRIES)
    local block_bytes = self.blocks[number]
    if not block_bytes then
      block_bytes = self:bytes(number * BLOCK_ENTRIES + 1, (number + 1) * BLOCK_ENTRIES)
      self.blocks[number] = block_bytes
    end
    local at, sum = struct.unpack(ENTRY_FORMAT, block_bytes, (i - 1 - number * BLOCK_ENTRIES) * ENTRY_BYTES + 1)
    return at + 0.0, sum + 0.0
  end

  function instant_log:at(i)
    return (self:entry(i))
  end

  function instant_log:sum(i)
    local _, sum = self:entry(i)
    return sum
  end

  function instant_log:edit(i, at, sum)
    self.edited[i] = { at = at, sum = sum }
    self.edited_from = min(self.edited_from or i, i)
  end

  function instant_log:is_empty()
    return self.first > self.last
  end

  function instant_log:total()
    return self:sum(self.last) - self:sum(self.first - 1)
  end

  -- The first of the entries `low` to `last` for which the test holds; `last + 1` when it holds for none.
  function instant_log:search(low, holds)
    local high = self.last + 1
    while low < high do
      local middle = floor((low + high) / 2)
      if holds(self:entry(middle)) then high = middle else low = middle + 1 end
    end
    return low
  end

  -- Drops what was logged at `instant` or before.
  function instant_log:drop_until(instant)
    if self:is_empty() or self:at(self.first) > instant then return end
    self.first = self:search(self.first + 1, function(at) return at > instant end)
  end

  -- Entries later than `now` are moved to it: they were written by a clock that ran ahead.
  function instant_log:clamp_to(now)
    local i = self.last
    while i >= self.first and self:at(i) > now do
      self:edit(i, now, self:sum(i))
      i = i - 1
    end
  end

  -- Sums start anew from the oldest live entry before they could lose precision.
  function instant_log:rebase()
    local base = self:sum(self.first - 1)
    for i = self.first - 1, self.last do
      local at, sum = self:entry(i)
      self:edit(i, at, sum - base)
    end
    self.is_rebased = true
  end

  function instant_log:append(now, cost)
    if self.last >= MOST_ENTRIES then error("express-limits: a moving window holds too many entries") end
    if self:sum(self.last) + cost > LARGEST_SUM then self:rebase() end
    local sum = self:sum(self.last) + cost
    if self:is_empty() or self:at(self.last) ~= now then self.last = self.last + 1 end
    self:edit(self.last, now, sum)
  end

  -- Takes back up to `cost` of what was logged at exactly `instant`. Entries after it are written anew.
  function instant_log:remove(instant, cost)
    local i = self:search(self.first, function(at) return at >= instant end)
    if i > self.last or self:at(i) ~= instant then return end
    local logged = self:sum(i) - self:sum(i - 1)
    local taken = min(cost, logged)
    local shift = taken == logged and 1 or 0
    for j = i, self.last - shift do
      local at, sum = self:entry(j + shift)
      self:edit(j, at, sum - taken)
    end
    self.last = self.last - shift
    self.edited_from = min(self.edited_from or i, i)
  end

  -- The instant of the entry with which the oldest `units` are gone. There must be that many.
  function instant_log:instant_of_unit(units)
    local before = self:sum(self.first - 1)
    return self:at(self:search(self.first, function(_, sum) return sum - before >= units end))
  end

  function instant_log:packed(from)
    local packed = {}
    for i = from, self.last do packed[#packed + 1] = struct.pack(ENTRY_FORMAT, self:entry(i)) end
    return table.concat(packed)
  end

  -- The whole live log as it is to be stored: a mark, what is stored already, and what was edited.
  function instant_log:rewritten()
    local edited_from = min(self.edited_from or self.last + 1, self.last + 1)
    local mark = struct.pack(ENTRY_FORMAT, MARK_AT, self:sum(self.first - 1))
    local untouched_to = min(edited_from - 1, self.stored)
    local untouched = untouched_to >= self.first and self:bytes(self.first, untouched_to) or ""
    return mark .. untouched .. self:packed(max(self.first, untouched_to + 1))
  end

  -- Writes what changed: the end of a long log, a short or outlived one as a whole.
  function instant_log:save(expires_unix_ms)
    local live, left = self.last - self.first + 1, self.first - 2
    local from = self.edited_from or self.last + 1
    local is_shortened = self.last < self.stored or self.stored < from - 1
    if self.last <= BLOCK_ENTRIES or left > live or is_shortened or self.is_rebased then
      call("SET", self.key, self:rewritten(), "PXAT", expires_unix_ms)
      return
    end
    if from <= self.last then
      call("SETRANGE", self.key, format("%.0f", (from - 1) * ENTRY_BYTES), self:packed(from))
    end
    call("PEXPIREAT", self.key, expires_unix_ms)
  end

  return instant_log
end
