-- Plain hits on fixed windows: the step of fixed-window.lua, without a table for each counter.

local function plain_fixed_window()
  local function take_back(group, policies, count)
    for i = 1, count do
      local policy = policies[i]
      group[policy.entry + 2] = group[policy.entry + 2] - policy.cost
    end
  end

  local function charge(group, policies)
    local lives_until, all_fit, is_healed = group[2] - server_offset_ms, true, false
    for i = 1, #policies do
      local policy = policies[i]
      local entry, latest_end_at = policy.entry, now + policy.window_ms
      if group[entry] ~= policy.id then entry = find(group, policy) end
      local ends_at, count = group[entry + 1], group[entry + 2]
      if ends_at <= now or count == 0 then
        group[entry + 1], ends_at, count = latest_end_at, latest_end_at, 0
      elseif ends_at > latest_end_at then
        -- Another clock wrote it.
        group[entry + 1], ends_at, is_healed = latest_end_at, latest_end_at, true
      end
      local spent = count + policy.cost
      -- A count that is no number fits nowhere.
      if not (spent <= policy.most) and all_fit then
        all_fit = false
        take_back(group, policies, i - 1)
      end
      group[entry + 2] = all_fit and spent or count
      if ends_at > lives_until then group[1] = NO_MARK end
    end
    return all_fit, is_healed
  end

  return charge, take_back
end
