-- Plain hits on sliding windows: the step of sliding-window-counter.lua, without a table for each counter.
-- An answer is three numbers: `previous`, or `-previous - 1` of a claim without room; `current`; and for how long
-- the current window has been open.

local function plain_sliding_window()
  -- It ends with its last window that weighs: the current one, or if that is empty the previous one.
  local function windows_left(group, entry)
    return group[entry + 3] == 0 and 1 or 2
  end

  local function judge(group, entry, policy)
    local amount, window_ms, is_healed = policy.amount, policy.window_ms, false
    local ends_at, previous, current = group[entry + 1], group[entry + 2], group[entry + 3]
    local starts_at = ends_at - windows_left(group, entry) * window_ms
    if ends_at <= now or previous + current == 0 then
      previous, current, starts_at = 0, 0, now
    elseif starts_at > now then
      starts_at, is_healed = now, true
    elseif now >= starts_at + window_ms then
      previous, current, starts_at = current, 0, starts_at + window_ms
    end
    group[entry + 2], group[entry + 3] = previous, current
    group[entry + 1] = starts_at + windows_left(group, entry) * window_ms
    local spent_unit_ms = previous * (starts_at + window_ms - now) + current * window_ms
    return policy.cost * window_ms <= max(0, amount * window_ms - spent_unit_ms) and amount > 0, is_healed
  end

  local function settle(slot, group, entry, policy, fits, is_charged)
    local window_ms = policy.window_ms
    local starts_at = group[entry + 1] - windows_left(group, entry) * window_ms
    if is_charged then
      group[entry + 3] = group[entry + 3] + policy.cost
      local ends_at = starts_at + windows_left(group, entry) * window_ms
      group[entry + 1] = ends_at
      if ends_at > group[2] - server_offset_ms then group[1] = NO_MARK end
    end
    local previous = group[entry + 2]
    reply[slot] = fits and previous or -previous - 1
    reply[slot + 1] = group[entry + 3]
    reply[slot + 2] = now - starts_at
    return slot + 3
  end

  return judge, settle
end
