-- Plain hits on fixed windows: the step of fixed-window.lua, without a table for each counter.
-- An answer is two numbers: the count, or `-count - 1` of a claim without room; and the window's time left.

local function plain_fixed_window()
  local function judge(group, entry, policy)
    local latest_end_at, is_healed = now + policy.window_ms, false
    local ends_at = group[entry + 1]
    if ends_at <= now or group[entry + 2] == 0 then
      group[entry + 1], group[entry + 2] = latest_end_at, 0
    elseif ends_at > latest_end_at then
      -- Another clock wrote it.
      group[entry + 1], is_healed = latest_end_at, true
    end
    return group[entry + 2] + policy.cost <= policy.amount and policy.amount > 0, is_healed
  end

  local function settle(slot, group, entry, policy, fits, is_charged)
    local count, ends_at = group[entry + 2], group[entry + 1]
    if is_charged then
      count = count + policy.cost
      group[entry + 2] = count
      if ends_at > group[2] - server_offset_ms then group[1] = NO_MARK end
    end
    reply[slot] = fits and count or -count - 1
    reply[slot + 1] = ends_at - now
    return slot + 2
  end

  return judge, settle
end
