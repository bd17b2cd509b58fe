-- fixed-window: an integer, the digits of `ends_at` and then six for the count, so that a charge is an INCRBY.
-- "count ends_at" for counts with more digits, or where it would be more than a 64-bit integer holds.

local COUNT_DIGITS, MOST_DIGITS = 6, 18
-- An integer has no leading zero; a foreign text may.
local ZERO = 48
local COUNT_FORMAT, FIRST_LONG_COUNT = "%06.0f", 1000000

local function make_fixed_window()
  local fixed_window = {}

  local function read(text)
    if not text then return nil end
    if text:find(" ", 1, true) then return stored_numbers(text) end
    local split = #text - COUNT_DIGITS
    if split < 1 or #text > MOST_DIGITS or text:find("%D") or text:byte() == ZERO then return nil end
    return text:sub(split + 1) + 0.0, text:sub(1, split) + 0.0, true
  end

  function fixed_window.load(key, text, policy, now)
    local latest_end_at = now + policy.window_ms
    local count, ends_at, is_integer = read(text)
    local is_healed = false
    if not ends_at or now >= ends_at then
      count, ends_at, is_integer = 0, latest_end_at, false
    elseif ends_at > latest_end_at then
      ends_at, is_healed, is_integer = latest_end_at, true, false
    end
    return {
      key = key,
      policy = policy,
      exists = text and true,
      is_healed = is_healed,
      is_changed = false,
      count = min(count, policy.amount),
      ends_at = ends_at,
      -- What the stored integer counts; false where there is none to add to.
      stored_count = is_integer and count,
    }
  end

  function fixed_window.test(counter, cost, now)
    local amount, count, left_ms = counter.policy.amount, counter.count, counter.ends_at - now
    local reset_after_ms = count == 0 and 0 or left_ms
    if count + cost <= amount and amount > 0 then
      return true, amount - count, reset_after_ms, 0, counter.ends_at, 0
    end
    local can_ever_fit = cost <= amount and amount > 0
    return false, amount - count, reset_after_ms, can_ever_fit and left_ms or NEVER, 0, 0
  end

  function fixed_window.charge(counter, cost, now)
    local count, ends_at = counter.count + cost, counter.ends_at
    counter.count = count
    return true, counter.policy.amount - count, count == 0 and 0 or ends_at - now, 0, ends_at, 0
  end

  -- The receipt is the end of the window that was charged.
  function fixed_window.refund(counter, cost, receipt)
    if counter.ends_at == receipt then counter.count = max(0, counter.count - cost) end
  end

  function fixed_window.text(counter)
    if counter.count == 0 then return nil end
    local ends_at = format("%.0f", counter.ends_at)
    local is_short = counter.count < FIRST_LONG_COUNT and #ends_at + COUNT_DIGITS <= MOST_DIGITS
    return is_short and ends_at .. format(COUNT_FORMAT, counter.count) or format("%.0f ", counter.count) .. ends_at
  end

  -- What to add to the stored integer; nil when it is to be written anew.
  function fixed_window.added(counter)
    if not counter.stored_count or counter.count == 0 or counter.count >= FIRST_LONG_COUNT then return nil end
    return format("%.0f", counter.count - counter.stored_count)
  end

  function fixed_window.expires_at(counter)
    return counter.ends_at
  end

  return fixed_window
end
