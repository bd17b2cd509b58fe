-- Plain hits on sliding windows: the step of sliding-window-counter.lua, without a table for each counter.

local function plain_sliding_window()
  -- It ends with its last window that weighs: the current one, or if that is empty the previous one.
  local function windows_left(group, entry)
    return group[entry + 3] == 0 and 1 or 2
  end

  -- Brings an entry to its state as of now. Returns when its window opened, and whether another clock wrote it.
  local function rotate(group, entry, window_ms)
    local is_healed = false
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
    return starts_at, is_healed
  end

  local function add(group, entry, window_ms, cost)
    local starts_at = group[entry + 1] - windows_left(group, entry) * window_ms
    group[entry + 3] = group[entry + 3] + cost
    group[entry + 1] = starts_at + windows_left(group, entry) * window_ms
  end

  local function take_back(group, policies, count)
    for i = 1, count do
      local policy = policies[i]
      add(group, policy.entry, policy.window_ms, -policy.cost)
    end
  end

  local function charge(group, policies)
    local lives_until, all_fit, any_healed = group[2] - server_offset_ms, true, false
    for i = 1, #policies do
      local policy = policies[i]
      local entry, window_ms = policy.entry, policy.window_ms
      if group[entry] ~= policy.id then entry = find(group, policy) end
      local starts_at, is_healed = rotate(group, entry, window_ms)
      local spent_unit_ms = group[entry + 2] * (starts_at + window_ms - now) + group[entry + 3] * window_ms
      local free_unit_ms = max(0, policy.amount * window_ms - spent_unit_ms)
      if all_fit and not (policy.cost * window_ms <= free_unit_ms and policy.amount > 0) then
        all_fit = false
        take_back(group, policies, i - 1)
      end
      if all_fit then add(group, entry, window_ms, policy.cost) end
      if group[entry + 1] > lives_until then group[1] = NO_MARK end
      any_healed = any_healed or is_healed
    end
    return all_fit, any_healed
  end

  return charge, take_back
end
