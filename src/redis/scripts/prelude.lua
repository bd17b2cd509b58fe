-- The parts in this folder are joined into one script. Suffixes name units: `_ms` durations, `_at` instants in
-- whole milliseconds since 2024-01-01 UTC. Numbers are written with "%.0f": `..` would keep 14 digits only.
--
-- Each strategy is made by a function, so that a call pays only for what it uses. A strategy has
--   load(key, text, policy, now)
--                               makes the counter from the stored text or nil: its state as of now. What no clock
--                               of ours can have written is clamped, and `is_healed` set. All fields are named at
--                               once, so that the table has its size from the start
--   test(counter, cost, now)    returns the six parts of a verdict: allowed (true or false), remaining,
--                               reset_after_ms, retry_after_ms, receipt, refunds_seen
--   charge(counter, cost, now)  charges what a test has allowed, and returns the verdict after it
--   refund(counter, cost, receipt, refunds_seen, now)
--   text(counter)               what to store; nil for nothing
--   added(counter)              may be missing: what to add to the stored integer instead, or nil
--   expires_at(counter)         from then on the state equals no state
-- and equals its twin in src/core/strategies step by step.

local EPOCH_UNIX_MS = 1704067200000

-- Stands for an endless wait in the reply, which holds whole numbers only.
local NEVER = -1

-- Longer texts, or ones with anything but digits and blanks, were not written by this script.
local LONGEST_TEXT = 64

local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local format, tonumber = string.format, tonumber
local unpack = table.unpack or unpack

-- One to three whole numbers separated by blanks; nothing for any other text.
local function stored_numbers(text)
  if not text or #text > LONGEST_TEXT then return nil end
  local first, second, third = text:match("^(%d+) ?(%d*) ?(%d*)$")
  if not first then return nil end
  return first + 0.0, second ~= "" and second + 0.0 or nil, third ~= "" and third + 0.0 or nil
end
