-- Plain hits on token buckets: the step of token-bucket.lua, without a table for each counter.

local function plain_token_bucket()
  -- Brings an entry to its state as of now. Returns whether another clock wrote it.
  local function refill(group, entry, now_ticks, empty, latest_end_at)
    if group[entry + 1] <= now then
      group[entry + 1], group[entry + 2], group[entry + 3] = now, now_ticks, 0
      return false
    end
    local is_healed = group[entry + 2] > empty or group[entry + 1] > latest_end_at
    if is_healed then
      -- Emptier than empty.
      group[entry + 2], group[entry + 1] = min(group[entry + 2], empty), min(group[entry + 1], latest_end_at)
    end
    group[entry + 2] = max(group[entry + 2], now_ticks)
    return is_healed
  end

  -- Backwards, as each puts back what it found.
  local function take_back(group, policies, count)
    for i = count, 1, -1 do
      local policy = policies[i]
      group[policy.entry + 1], group[policy.entry + 2] = policy.found_ends_at, policy.found_full_at
    end
  end

  local function charge(group, policies)
    local lives_until, all_fit, any_healed = group[2] - server_offset_ms, true, false
    for i = 1, #policies do
      local policy = policies[i]
      local entry, ticks_per_ms, taken = policy.entry, policy.ticks_per_ms, policy.cost * policy.ticks_per_token
      if group[entry] ~= policy.id then entry = find(group, policy) end
      local now_ticks, capacity_ticks = now * ticks_per_ms, policy.capacity * policy.ticks_per_token
      local empty = now_ticks + capacity_ticks
      local is_healed = refill(group, entry, now_ticks, empty, ceil(empty / ticks_per_ms))
      local ends_at, full_at = group[entry + 1], group[entry + 2]
      -- `empty - full_at` would be rounded otherwise than where the verdict is made, which has to come out the same.
      if all_fit and not (taken <= capacity_ticks - (full_at - now_ticks) and policy.amount > 0) then
        all_fit = false
        take_back(group, policies, i - 1)
      end
      if all_fit then
        policy.found_ends_at, policy.found_full_at = ends_at, full_at
        ends_at = max(ends_at, ceil((full_at + taken) / ticks_per_ms))
        group[entry + 1], group[entry + 2] = ends_at, full_at + taken
      end
      if ends_at > lives_until then group[1] = NO_MARK end
      any_healed = any_healed or is_healed
    end
    return all_fit, any_healed
  end

  return charge, take_back
end
