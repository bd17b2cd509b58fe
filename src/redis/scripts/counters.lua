-- The counters of this call: each is read once before, and written once after all is decided, however often it
-- is charged. After the first write nothing may fail, as Redis takes nothing back.

local BLOCK_STRATEGY = 5
local makers = { make_fixed_window, make_moving_window, make_sliding_window, make_token_bucket, make_block }
local made = {}

local function strategy_of(number)
  made[number] = made[number] or makers[number]()
  return made[number]
end

local counters = {}

local function forget(index, counter, now)
  local forgotten = counter
  if counter.log then
    counter.policy.strategy.forget(counter)
  else
    forgotten = counter.policy.strategy.load(counter.key, nil, counter.policy, now)
  end
  -- Also what was not ours goes.
  forgotten.exists, forgotten.is_changed = true, true
  counters[index] = forgotten
end

-- A counter that is only looked at keeps what it holds, unless another clock wrote it or its expiry was lost.
local function heal(counter)
  if counter.is_changed or not counter.exists then return end
  counter.is_changed = counter.is_healed or redis.call("PTTL", counter.key) == -1
end

local function write(counter, now, unix_offset_ms)
  local strategy, log, key = counter.policy.strategy, counter.log, counter.key
  local added = strategy.added and strategy.added(counter)
  if added then
    -- The stored integer keeps its expiry, unless it had lost it.
    redis.call("INCRBY", key, added)
    if redis.call("PTTL", key) ~= -1 then return end
    redis.call("PEXPIREAT", key, format("%.0f", strategy.expires_at(counter) + unix_offset_ms))
    return
  end
  local text = not log and strategy.text(counter, now)
  if text or log and not log:is_empty() then
    local expires_unix_ms = format("%.0f", strategy.expires_at(counter) + unix_offset_ms)
    if log then
      log:save(expires_unix_ms)
    else
      redis.call("SET", key, text, "PXAT", expires_unix_ms)
    end
  elseif counter.exists then
    redis.call("DEL", key)
  end
end

-- `unix_offset_ms` takes an instant to the server's clock.
local function write_all(now, unix_offset_ms)
  for _, counter in pairs(counters) do
    if counter.is_changed then write(counter, now, unix_offset_ms) end
  end
end
