-- block: an entry ends with the block. A hit of cost `n` refuses everything for `n` milliseconds.

local function make_block()
  local block = {}

  function block.load(counter, _, ends_at)
    counter.until_at = max(ends_at, now)
  end

  function block.test(counter)
    local left_ms = counter.until_at - now
    return left_ms == 0, left_ms == 0 and 1 or 0, left_ms, left_ms, 0, 0
  end

  -- A running block is never shortened.
  function block.charge(counter, cost)
    counter.until_at = max(counter.until_at, now + cost)
    local _, remaining, reset_after_ms, retry_after_ms = block.test(counter)
    return true, remaining, reset_after_ms, retry_after_ms, counter.until_at, 0
  end

  function block.refund(counter, _, receipt)
    if counter.until_at == receipt then counter.until_at = now end
  end

  function block.numbers(counter)
    return counter.until_at, 1, 0
  end

  return block
end
