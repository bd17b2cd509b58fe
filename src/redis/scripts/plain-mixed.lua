-- Plain hits on limits of several strategies: each goes to its own.

local FIXED_WINDOW, SLIDING_WINDOW, TOKEN_BUCKET = 1, 3, 4

local function plain_mixed()
  local charges, takes_back = {}, {}
  charges[FIXED_WINDOW], takes_back[FIXED_WINDOW] = plain_fixed_window()
  charges[SLIDING_WINDOW], takes_back[SLIDING_WINDOW] = plain_sliding_window()
  charges[TOKEN_BUCKET], takes_back[TOKEN_BUCKET] = plain_token_bucket()

  local function take_back(group, policies, count)
    for i = count, 1, -1 do
      local policy = policies[i]
      if policy.is_charged then takes_back[policy.strategy](group, policy.alone, 1) end
    end
  end

  local function charge(group, policies)
    local all_fit, any_healed = true, false
    for i = 1, #policies do
      local policy = policies[i]
      local fits, is_healed = charges[policy.strategy](group, policy.alone)
      policy.is_charged = fits
      all_fit, any_healed = all_fit and fits, any_healed or is_healed
    end
    if not all_fit then take_back(group, policies, #policies) end
    return all_fit, any_healed
  end

  return charge, take_back
end
