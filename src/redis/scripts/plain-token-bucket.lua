-- Plain hits on token buckets: the step of token-bucket.lua, without a table for each counter.
-- An answer is two numbers: how many ticks the bucket needs to be full, or `-ticks - 1` of a claim without room; and
-- what was refunded, in ticks.

local function plain_token_bucket()
  local function judge(group, entry, policy)
    local now_ticks, is_healed = now * policy.ticks_per_ms, false
    local empty = now_ticks + policy.capacity * policy.ticks_per_token
    if group[entry + 1] <= now then
      group[entry + 1], group[entry + 2], group[entry + 3] = now, now_ticks, 0
    else
      local latest_end_at = ceil(empty / policy.ticks_per_ms)
      if group[entry + 2] > empty or group[entry + 1] > latest_end_at then
        -- Emptier than empty: another clock wrote it.
        group[entry + 2], group[entry + 1] = min(group[entry + 2], empty), min(group[entry + 1], latest_end_at)
        is_healed = true
      end
      group[entry + 2] = max(group[entry + 2], now_ticks)
    end
    return policy.cost * policy.ticks_per_token <= empty - group[entry + 2] and policy.amount > 0, is_healed
  end

  local function settle(slot, group, entry, policy, fits, is_charged)
    if is_charged then
      local full_at = group[entry + 2] + policy.cost * policy.ticks_per_token
      local ends_at = max(group[entry + 1], ceil(full_at / policy.ticks_per_ms))
      group[entry + 1], group[entry + 2] = ends_at, full_at
      if ends_at > group[2] - server_offset_ms then group[1] = NO_MARK end
    end
    local owed = group[entry + 2] - now * policy.ticks_per_ms
    reply[slot] = fits and owed or -owed - 1
    reply[slot + 1] = group[entry + 3]
    return slot + 2
  end

  return judge, settle
end
