-- fixed-window: an integer, `ends_at` times 32768 plus the count, so that a charge is an INCRBY and a double holds
-- it exactly. "count ends_at" for counts or instants that are too large for that.

local COUNT_UNIT = 32768
local LARGEST_EXACT = 2 ^ 53

local function make_fixed_window()
  local fixed_window = {}

  -- Count, end, and whether they are one integer.
  local function read(text)
    local number = text and tonumber(text)
    -- What INCRBY would not take as an integer is none.
    if number and number < LARGEST_EXACT and format("%.0f", number) == text and number >= 0 then
      return number % COUNT_UNIT, floor(number / COUNT_UNIT), true
    end
    return stored_numbers(text)
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
    local number = counter.ends_at * COUNT_UNIT + counter.count
    if counter.count < COUNT_UNIT and number < LARGEST_EXACT then return format("%.0f", number) end
    return format("%.0f %.0f", counter.count, counter.ends_at)
  end

  -- What to add to the stored integer; nil when it is to be written anew.
  function fixed_window.added(counter)
    if not counter.stored_count or counter.count == 0 or counter.count >= COUNT_UNIT then return nil end
    return format("%.0f", counter.count - counter.stored_count)
  end

  function fixed_window.expires_at(counter)
    return counter.ends_at
  end

  return fixed_window
end
