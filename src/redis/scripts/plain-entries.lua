-- The entries that plain hits work on.

-- False as long as each list's entries stood where a group that holds only this list has them.
local is_any_elsewhere = false

-- To be called for a limit whose entry is not where it was in the group before: most groups hold the same limits in
-- the same order.
local function find(group, policy)
  local entry = entry_in(group, policy.id) or add_entry(group, policy.id)
  is_any_elsewhere = is_any_elsewhere or entry ~= policy.entry
  policy.entry = entry
  return entry
end

local function are_in_order(policies)
  for i = 1, #policies do
    if policies[i].entry ~= FIRST_ENTRY + (i - 1) * ENTRY_NUMBERS then return false end
  end
  return true
end

-- Are a group's entries those of these policies and no others, in this order?
local function is_all_of(group, policies)
  return #group == policies.numbers and (not is_any_elsewhere or are_in_order(policies))
end

-- What the entries of these policies hold now, as a stored value of just these.
local function excerpt(group, policies)
  local numbers = { MARK, 0 }
  for i = 1, #policies do
    local entry = policies[i].entry
    for at = entry, entry + ENTRY_NUMBERS - 1 do numbers[#numbers + 1] = group[at] end
  end
  return bytes_of(numbers)
end
