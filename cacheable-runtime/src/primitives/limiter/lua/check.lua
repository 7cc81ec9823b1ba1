#!lua
-- Decides on a call under one limit or several, and counts it under all of them
-- if none denies it.
-- KEYS the histories; ARGV[1] two doubles: the cost, 1 when an allowed call is to
-- be counted; and for each key one text more: a byte for the algorithm, one that
-- is 1 when a denial is only for the record, and the capacity, the window and the
-- grain as doubles.
-- Returns doubles: the time, and for each key 1 if the call fits or 0, what
-- remains, when the call fits or more remains, and when all is back. Times are
-- microseconds; all but the first are from now. A negative number says which key
-- holds something else.
--
-- Histories are texts, so that a call reads and writes few bytes by few commands.
-- Each begins with a byte that says what it is; numbers in it have seven bytes.
local pack, unpack_from = struct.pack, struct.unpack
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost, counts = unpack_from('<dd', ARGV[1])
counts = counts == 1

local function text(number)
  return string.format('%d', number)
end

-- What is to live so many microseconds lives at least as long.
local function life(micros)
  return text(micros / 1000 + 2)
end

-- The byte, until when calls can be added before its life has to be renewed, and
-- the times of calls, oldest first. What has left the window goes when it is an
-- eighth of the rest.
local function exact(key, capacity, window)
  local head = redis.pcall('GETRANGE', key, '0', '7')
  if type(head) == 'table' then
    return nil, head
  end
  local function at(index)
    local entry = redis.call('GETRANGE', key, text(8 + 7 * index), text(14 + 7 * index))
    return (unpack_from('>I7', entry))
  end
  -- How many of the first are of this time or before it: what is sought is near
  -- the beginning.
  local function until_time(edge, length)
    local low, high = -1, 0
    while high < length and at(high) <= edge do
      low, high = high, math.min(2 * high + 1, length)
    end
    while high - low > 1 do
      local middle = math.floor((low + high) / 2)
      if at(middle) <= edge then
        low = middle
      else
        high = middle
      end
    end
    return high
  end
  -- Keeps those from `first` until before `past`, and adds as many of now.
  local function write(first, past, number)
    local lasts, renewed = window, now
    -- Of those that come once, nothing is kept for longer than it counts.
    if past > first then
      lasts, renewed = 2 * window, now + window
    end
    local kept = redis.call('GETRANGE', key, text(8 + 7 * first), text(7 + 7 * past))
    kept = pack('>BI7', 108, renewed) .. kept .. string.rep(pack('>I7', now), number)
    redis.call('SET', key, kept, 'PX', life(lasts))
  end

  local length, gone, last = 0, 0, 0
  if head ~= '' then
    local size = redis.call('STRLEN', key)
    if string.byte(head) ~= 108 or size < 15 or size % 7 ~= 1 then
      return nil
    end
    length = (size - 8) / 7
    last = at(length - 1)
    if last > now then
      -- The clock was set back: what lies ahead happened now at the latest.
      -- Left as it is, it would count until the clock has caught up.
      last = now
      if counts then
        local past = until_time(now, length)
        write(0, past, length - past)
      end
    end
    gone = until_time(now - window, length)
  end

  local used = length - gone
  local fits = used + cost <= capacity
  local leaver = 0
  if not fits then
    leaver = used + cost - capacity - 1
  end
  local reset, full = 0, 0
  if leaver < used then
    reset = math.min(at(gone + leaver), now) + window - now
  elseif not fits then
    reset = window
  end
  if used > 0 then
    full = last + window - now
  end
  local function take()
    if used == 0 or gone * 8 > used then
      write(gone, length, cost)
    else
      local _, renewed = unpack_from('>BI7', redis.call('GETRANGE', key, '0', '7'))
      redis.call('APPEND', key, string.rep(pack('>I7', now), cost))
      if now > renewed or renewed > now + window then
        redis.call('SETRANGE', key, '1', pack('>I7', now + window))
        redis.call('PEXPIRE', key, life(2 * window))
      end
    end
    if used == 0 then
      reset = window
    end
    return math.max(0, capacity - used - cost), reset, window
  end
  return fits, math.max(0, capacity - used), reset, full, take
end

-- The byte, the number of the newest segment of time, how many calls there are in
-- all, and in each segment, from the newest to the oldest. Neither of these two is
-- without a call.
local function segmented(key, capacity, window, grain)
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then
    return nil, held
  end
  local current = math.floor(now / grain)
  local function finish(segment)
    return (segment + 1) * grain + window - now
  end
  local numbers, used, newest, oldest = {}, 0, nil, nil
  local function add(segment, number)
    if number > 0 then
      numbers[segment] = (numbers[segment] or 0) + number
      used = used + number
      newest = math.max(newest or segment, segment)
      oldest = math.min(oldest or segment, segment)
    end
  end
  if held then
    if string.byte(held) ~= 99 or #held < 22 or #held % 7 ~= 1 then
      return nil
    end
    local _, first = unpack_from('>BI7', held)
    for place = 1, (#held - 15) / 7 do
      local segment = first - place + 1
      if finish(segment) > 0 then
        -- The clock was set back: what lies ahead happened now at the latest.
        add(math.min(segment, current), (unpack_from('>I7', held, 9 + 7 * place)))
      end
    end
  end
  local function write()
    local texts = {pack('>BI7I7', 99, newest, used)}
    for segment = newest, oldest, -1 do
      texts[#texts + 1] = pack('>I7', numbers[segment] or 0)
    end
    redis.call('SET', key, table.concat(texts), 'PX', life(finish(newest)))
  end
  if counts and newest and newest < unpack_from('>I7', held, 2) then
    write()
  end

  local fits = used + cost <= capacity
  local left = used + cost - capacity
  if fits then
    left = 1
  end
  local reset, full = 0, 0
  if not fits then
    reset = window
  end
  for segment = oldest or 1, newest or 0 do
    left = left - (numbers[segment] or 0)
    if left <= 0 then
      reset = finish(segment)
      break
    end
  end
  if newest then
    full = finish(newest)
  end
  local function take()
    if used == 0 then
      reset = finish(current)
    end
    add(current, cost)
    write()
    return math.max(0, capacity - used), reset, finish(current)
  end
  return fits, math.max(0, capacity - used), reset, full, take
end

-- The byte, which times its life covers, and the time at which all is back. Under
-- another limit the share that is used stays the same.
local function gcra(key, capacity, window, grain)
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then
    return nil, held
  end
  local most = capacity * grain
  local debt = 0
  local function keep()
    -- Of those that come once, nothing is kept for longer than it counts.
    local covered = now + debt
    if held then
      covered = covered + window
    end
    redis.call('SET', key, pack('>BI7I7', 116, covered, now + debt), 'PX', life(covered - now))
  end
  if held then
    if #held ~= 15 or string.byte(held) ~= 116 then
      return nil
    end
    debt = math.max(0, unpack_from('>I7', held, 9) - now)
    if debt > math.max(most, window) then
      -- No limit over this window lets it be further ahead, so the clock was
      -- set back. Left as it is, it would be until the clock has caught up.
      debt = math.max(most, window)
      if counts then
        keep()
      end
    end
  end
  local function reset_of(debt)
    if debt == 0 then
      return 0
    end
    return debt - (math.ceil(debt / grain) - 1) * grain
  end
  local needed = cost * grain
  if capacity == 0 then
    -- It denies everything, so no cost was refused before: one whose time is
    -- beyond all integers is none to wait for.
    needed = math.min(needed, grain)
  end
  local fits = debt + needed <= most
  local reset = debt + needed - most
  if fits then
    reset = reset_of(debt)
  end
  local function take()
    debt = debt + needed
    keep()
    return math.floor((most - debt) / grain), reset_of(debt), debt
  end
  return fits, math.max(0, math.floor((most - debt) / grain)), reset, debt, take
end

local algorithms = {[108] = exact, [99] = segmented, [116] = gcra}
local answer, takers, allowed = {now}, {}, true
for i, key in ipairs(KEYS) do
  local algorithm, shadow, capacity, window, grain = unpack_from('<BBddd', ARGV[i + 1])
  local fits, remaining, reset, full, take = algorithms[algorithm](key, capacity, window, grain)
  if fits == nil then
    if remaining and not string.find(remaining.err, 'WRONGTYPE', 1, true) then
      return remaining
    end
    return pack('<d', -i)
  end
  if not fits and shadow ~= 1 then
    allowed = false
  end
  takers[i] = fits and take
  local place = 4 * i - 2
  answer[place], answer[place + 1] = fits and 1 or 0, remaining
  answer[place + 2], answer[place + 3] = reset, full
end
if allowed and counts then
  for i, take in ipairs(takers) do
    if take then
      local place = 4 * i - 1
      answer[place], answer[place + 1], answer[place + 2] = take()
    end
  end
end
return pack('<' .. string.rep('d', #answer), unpack(answer))
