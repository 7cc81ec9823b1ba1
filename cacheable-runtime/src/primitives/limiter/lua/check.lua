#!lua
-- Decides on a call under one limit or several, and counts it under all of them
-- if none denies it.
-- KEYS the histories; ARGV[1] the cost, ARGV[2] 1 when an allowed call is to be
-- counted, and for each key five more: the algorithm, the capacity, the window,
-- the grain, and 1 when a denial is only for the record.
-- Returns the time, and for each key whether the call fits, what remains, when
-- the call fits or more remains, and when all is back. Times are microseconds;
-- all but the first are from now. A negative number says which key holds
-- something else.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local counts = ARGV[2] == '1'

local function text(number)
  return string.format('%.0f', number)
end

-- What is to live so many microseconds lives at least as long.
local function live(key, micros)
  redis.call('PEXPIRE', key, text(math.floor(micros / 1000) + 2))
end

-- The times of calls, oldest first.
local function exact(key, capacity, window)
  local last = redis.pcall('LINDEX', key, -1)
  if type(last) == 'table' then
    return nil, last
  end
  local function at(index)
    return math.min(tonumber(redis.call('LINDEX', key, index)), now)
  end
  local function push(number)
    local entries, entry = {}, text(now)
    for i = 1, math.min(number, 1000) do
      entries[i] = entry
    end
    while number > 0 do
      redis.call('RPUSH', key, unpack(entries, 1, math.min(number, 1000)))
      number = number - 1000
    end
    live(key, window)
  end
  -- How many of the first are of this time or before it: what is sought is near
  -- the beginning.
  local function until_time(edge, length)
    local low, high = -1, 0
    while high < length and tonumber(redis.call('LINDEX', key, high)) <= edge do
      low, high = high, math.min(2 * high + 1, length)
    end
    while high - low > 1 do
      local middle = math.floor((low + high) / 2)
      if tonumber(redis.call('LINDEX', key, middle)) <= edge then
        low = middle
      else
        high = middle
      end
    end
    return high
  end

  local length, gone = 0, 0
  if last then
    if not tonumber(last) then
      return nil
    end
    length = redis.call('LLEN', key)
    if tonumber(last) > now and counts then
      -- The clock was set back: what lies ahead happened now at the latest.
      -- Left as it is, it would count until the clock has caught up.
      local past = until_time(now, length)
      if past == 0 then
        redis.call('DEL', key)
      else
        redis.call('LTRIM', key, 0, past - 1)
      end
      push(length - past)
    end
    gone = until_time(now - window, length)
    if gone > 0 and counts then
      redis.call('LTRIM', key, gone, -1)
      length, gone = length - gone, 0
    end
  end

  local used = length - gone
  local fits = used + cost <= capacity
  local leaver = 0
  if not fits then
    leaver = used + cost - capacity - 1
  end
  local reset, full = 0, 0
  if leaver < used then
    reset = at(gone + leaver) + window - now
  elseif not fits then
    reset = window
  end
  if used > 0 then
    full = math.min(tonumber(last), now) + window - now
  end
  local function take()
    push(cost)
    if used == 0 then
      reset = window
    end
    return math.max(0, capacity - used - cost), reset, window
  end
  return fits, math.max(0, capacity - used), reset, full, take
end

-- How many calls there were in each segment of time.
local function segmented(key, capacity, window, grain)
  local fields = redis.pcall('HGETALL', key)
  if fields.err then
    return nil, fields
  end
  local current = math.floor(now / grain)
  local function finish(segment)
    return (segment + 1) * grain + window - now
  end
  local used, ahead, newest, oldest = 0, 0, nil, nil
  local segments, number_in, stale = {}, {}, {}
  for i = 1, #fields, 2 do
    local segment, number = tonumber(fields[i]), tonumber(fields[i + 1])
    if not segment or not number then
      return nil
    end
    if segment > current then
      -- The clock was set back: what lies ahead happened now at the latest.
      ahead = ahead + number
      stale[#stale + 1] = fields[i]
      used = used + number
    elseif finish(segment) <= 0 then
      stale[#stale + 1] = fields[i]
    else
      segments[#segments + 1] = segment
      number_in[segment] = number
      used = used + number
    end
  end
  if ahead > 0 then
    if not number_in[current] then
      segments[#segments + 1] = current
    end
    number_in[current] = (number_in[current] or 0) + ahead
  end
  if counts and #stale > 0 then
    redis.call('HDEL', key, unpack(stale))
    if ahead > 0 then
      redis.call('HINCRBY', key, text(current), text(ahead))
      live(key, finish(current))
    end
  end

  table.sort(segments)
  local fits = used + cost <= capacity
  local leaving = 1
  if not fits then
    leaving = used + cost - capacity
  end
  local reset, full = 0, 0
  if not fits then
    reset = window
  end
  local left = 0
  for _, segment in ipairs(segments) do
    left = left + number_in[segment]
    if left >= leaving then
      reset = finish(segment)
      break
    end
  end
  if used > 0 then
    full = finish(segments[#segments])
  end
  local function take()
    redis.call('HINCRBY', key, text(current), text(cost))
    full = finish(current)
    live(key, full)
    if used == 0 then
      reset = full
    end
    return math.max(0, capacity - used - cost), reset, full
  end
  return fits, math.max(0, capacity - used), reset, full, take
end

-- The time at which all is back. Under another limit the share that is used
-- stays the same.
local function gcra(key, capacity, window, grain)
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then
    return nil, held
  end
  local most = capacity * grain
  local debt = 0
  local function keep()
    redis.call('SET', key, text(now + debt), 'PX', text(math.floor(debt / 1000) + 2))
  end
  if held then
    if not tonumber(held) then
      return nil
    end
    debt = math.max(0, held - now)
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

local algorithms = {x = exact, s = segmented, g = gcra}
local answer, takers, allowed = {now}, {}, true
for i, key in ipairs(KEYS) do
  local first = 5 * i - 2
  local fits, remaining, reset, full, take = algorithms[ARGV[first]](
    key, tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3]))
  if fits == nil then
    if remaining and not string.find(remaining.err, 'WRONGTYPE', 1, true) then
      return remaining
    end
    return {-i}
  end
  if not fits and ARGV[first + 4] ~= '1' then
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
return answer
