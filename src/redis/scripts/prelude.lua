-- The parts in this folder are joined into scripts by src/redis/scripts.ts. Suffixes name units: `_ms` durations, `_at` instants in
-- whole milliseconds since 2024-01-01 UTC. Numbers are written with "%.0f": `..` would keep 14 digits only.

local EPOCH_UNIX_MS = 1704067200000
local TEST_CLOCK_TTL_SLACK_MS = 3600000

-- How a stored value starts, and each entry in it; see groups.lua.
local MARK = 0x6c65
local HEADER_FORMAT, ENTRY_FORMAT = "<I2d", "I6ddd"
local HEADER_BYTES, ENTRY_BYTES = 10, 30
local SHORTEST_LIFE_MS = 1000

-- An endless wait.
local NEVER = math.huge

local floor, ceil, min, max, format = math.floor, math.ceil, math.min, math.max, string.format
local unpack = table.unpack or unpack
local call = redis.call

local input = cjson.decode(ARGV[1])
if math.type then
  -- Lua 5.4 tells whole numbers from floats, which would overflow where floats round.
  for i = 1, #input do input[i] = input[i] + 0.0 end
end

local time = call("TIME")
local unix_ms = time[1] * 1000 + floor(time[2] / 1000)
local server_at = unix_ms - EPOCH_UNIX_MS
local has_test_clock = input[1] == 1
local now = has_test_clock and input[2] or server_at
-- What takes an instant to the server's clock.
local server_offset_ms = server_at - now + (has_test_clock and TEST_CLOCK_TTL_SLACK_MS or 0)
