-- The usual case in its own script: hits of one strategy, each charging all of its limits or none, without meta
-- claims. plain-start.lua, a plain strategy and plain-hits.lua are joined after prelude.lua. A plain strategy has,
-- for the claim at a place of KEYS,
--   load(place, text, policy)       reads the state as of now
--   has_room(place, policy)         does the policy's cost fit?
--   charge(place, policy)           charges what has room
--   say(slot, place, policy, fits)  puts the two numbers of the answer into the reply
--   is_changed(place), added(place), text_of(place), expires_at(place)
--                                   what to store, as in prelude.lua
-- and says by KEEPS_EXPIRY_WHEN_ADDED whether what is added to a stored integer leaves its expiry as it is.
--
-- KEYS     of each claim, in order; one may come several times
-- ARGV[1]  a JSON list of numbers, written by src/redis/plain-wire.ts:
--            has_test_clock, test_now
--            shape_count, for each: claim_count, and for each claim
--              amount, window_ms, capacity, ticks_per_ms, ticks_per_token, cost
--            run_count, for each: shape, not_after, call_count: so many hits of the same shape
-- Reply    a flat list of whole numbers: the server's clock, then for each run 1 when it came too late, else 0 and
--          two numbers for each claim

local TEST_CLOCK_TTL_SLACK_MS = 3600000
-- In a large call not every key's expiry is looked at, but as many; which ones changes with the time.
local MOST_EXPIRIES_LOOKED_AT = 16

local call, try = redis.call, redis.pcall
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
local reply = { server_at }
