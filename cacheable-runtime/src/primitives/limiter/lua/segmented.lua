#!lua
-- What check.lua does for one limit in segments, at a third of its cost; the
-- counts are told of there.
-- KEYS[1] the counts; ARGV[1] five doubles: the cost, 1 when an allowed call is to
-- be counted, the capacity, the window, the grain.
-- Returns what check.lua returns; nothing, where it is to be asked instead: the
-- clock was set back, or something else is under the key.
local key, pack, unpack = KEYS[1], struct.pack, struct.unpack
local cost, counts, capacity, window, grain = unpack('<ddddd', ARGV[1])
local held = redis.pcall('GET', key)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local current = math.floor(now / grain)
local function finish(segment)
  return (segment + 1) * grain + window - now
end
local used, number, newest, count, whole = 0, 0, current, 0, true
local function at(place)
  return unpack('>I7', held, 9 + 7 * place)
end
if held then
  -- 0 for an error.
  local size = #held
  if size % 7 ~= 1 or size < 22 then
    return ''
  end
  number = (size - 15) / 7
  local mark
  mark, newest, used, count = unpack('>BI7I7I7', held)
  if mark ~= 99 or newest > current then
    return ''
  end
  if finish(newest) <= 0 then
    used, number, whole = 0, 0, false
  else
    -- What has ended, and segments without a call before the first that counts.
    local oldest = at(number)
    while oldest == 0 or finish(newest - number + 1) <= 0 do
      used, number, whole = used - oldest, number - 1, false
      oldest = at(number)
    end
  end
end
local reset, full = 0, 0
if number > 0 then
  reset, full = finish(newest - number + 1), finish(newest)
end
local left = capacity - used - cost
if left < 0 then
  reset = window
  local leaving = -left
  for place = number, 1, -1 do
    leaving = leaving - at(place)
    if leaving <= 0 then
      reset = finish(newest - place + 1)
      break
    end
  end
  return pack('<ddddd', now, 0, math.max(0, left + cost), reset, full)
end
if counts == 0 then
  return pack('<ddddd', now, 1, left + cost, reset, full)
end
full = finish(current)
if number > 0 and newest == current and whole then
  redis.call('SETRANGE', key, '8', pack('>I7I7', used + cost, count + cost))
else
  local before = ''
  if number > 0 then
    before = string.sub(held, 16, 15 + 7 * number)
    if newest == current then
      cost = cost + count
      used = used - count
      before = string.sub(before, 8)
    else
      before = string.rep('\0', 7 * (current - newest - 1)) .. before
    end
  end
  redis.call('SET', key, pack('>BI7I7I7', 99, current, used + cost, cost) .. before,
    'PX', string.format('%d', full / 1000 + 2))
end
if number == 0 then
  reset = full
end
return pack('<ddddd', now, 1, left, reset, full)
