-- One hit on one fixed window that is alone in its value: all there is to do when requests come one by one. It makes
-- nothing that only larger calls need, which halves the time. It stands behind prelude.lua in the script of
-- plain-hits.lua, reads the same argument, and gives the same reply. What is out of the ordinary it leaves to the
-- rest, before it has written anything.

local ONE_HIT_NUMBERS = 18
local one_claim = #input == ONE_HIT_NUMBERS and input[18] == 1 and server_at < input[17]

if one_claim and not math.type then
  local key, id, amount, window_ms, cost = KEYS[1], input[7], input[9], input[10], input[14]
  local text = redis.pcall("GET", key)
  local latest_end_at, is_ordinary = now + window_ms, not text
  local mark, lives_until, stored_id, ends_at, count = MARK, 0, id, latest_end_at, 0
  if type(text) == "string" and #text == HEADER_BYTES + ENTRY_BYTES and call("PTTL", key) ~= -1 then
    mark, lives_until, stored_id, ends_at, count = struct.unpack(HEADER_FORMAT .. ENTRY_FORMAT, text)
    if ends_at <= now or count == 0 then ends_at, count = latest_end_at, 0 end
    is_ordinary = mark == MARK and stored_id == id and ends_at <= latest_end_at
    is_ordinary = is_ordinary and ends_at + server_offset_ms <= lives_until
  end
  if is_ordinary then
    local fits = count + cost <= amount and amount > 0
    if fits then count = count + cost end
    if not text then lives_until = max(ends_at + server_offset_ms, server_at + SHORTEST_LIFE_MS) end
    local value = struct.pack(HEADER_FORMAT .. ENTRY_FORMAT, MARK, lives_until, id, ends_at, count, 0)
    if fits and cost > 0 then
      if text then
        call("SETRANGE", key, "0", value)
      else
        call("SET", key, value, "PXAT", format("%.0f", lives_until + EPOCH_UNIX_MS))
      end
    end
    return struct.pack("<dB", server_at, fits and 1 or 0) .. value
  end
end
