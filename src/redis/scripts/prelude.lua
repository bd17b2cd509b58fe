-- The parts in this folder are joined into one script. Suffixes name units: `_ms` durations, `_at` instants in
-- whole milliseconds since 2024-01-01 UTC. Numbers are written with "%.0f": `..` would keep 14 digits only.

local EPOCH_UNIX_MS = 1704067200000

-- Stands for an endless wait in the reply, which holds whole numbers only.
local NEVER = -1

-- Longer texts, or ones with anything but digits and blanks, were not written by this script.
local LONGEST_TEXT = 64

local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local format = string.format
local unpack = table.unpack or unpack

-- One to three whole numbers separated by blanks, as doubles; nothing for any other text.
local function stored_numbers(text)
  if #text > LONGEST_TEXT then return nil end
  local first, second, third = text:match("^(%d+) ?(%d*) ?(%d*)$")
  if not first then return nil end
  return first + 0.0, second ~= "" and second + 0.0 or nil, third ~= "" and third + 0.0 or nil
end

local function verdict(allowed, remaining, reset_after_ms, retry_after_ms, receipt, refunds_seen)
  return {
    allowed = allowed,
    remaining = remaining,
    reset_after_ms = reset_after_ms,
    retry_after_ms = retry_after_ms,
    receipt = receipt or 0,
    refunds_seen = refunds_seen or 0,
  }
end
