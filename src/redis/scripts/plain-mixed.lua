-- Plain hits on limits of several strategies: each claim's own is looked up.

local FIXED_WINDOW, SLIDING_WINDOW, TOKEN_BUCKET = 1, 3, 4

local function plain_mixed()
  local judges, settles = {}, {}
  judges[FIXED_WINDOW], settles[FIXED_WINDOW] = plain_fixed_window()
  judges[SLIDING_WINDOW], settles[SLIDING_WINDOW] = plain_sliding_window()
  judges[TOKEN_BUCKET], settles[TOKEN_BUCKET] = plain_token_bucket()

  local function judge(group, entry, policy)
    return judges[policy.strategy](group, entry, policy)
  end

  local function settle(slot, group, entry, policy, fits, is_charged)
    return settles[policy.strategy](slot, group, entry, policy, fits, is_charged)
  end

  return judge, settle
end
