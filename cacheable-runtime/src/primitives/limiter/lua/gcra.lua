#!lua
-- What check.lua does for one even rate, at half of its cost; the state is told
-- of there.
-- KEYS[1] the state; ARGV[1] five doubles: the cost, 1 when an allowed call is to
-- be counted, the capacity, the window, the grain.
-- Returns what check.lua returns; nothing, where it is to be asked instead: the
-- clock was set back, something else is under the key, or the limit is 0.
local key, pack = KEYS[1], struct.pack
local cost, counts, capacity, window, grain = struct.unpack('<ddddd', ARGV[1])
-- It denies everything, and refuses no cost before.
if capacity == 0 then
  return ''
end
local held = redis.pcall('GET', key)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most, debt, covered = capacity * grain, 0, 0
if held then
  local mark, arrival
  if #held ~= 15 then
    return ''
  end
  mark, covered, arrival = struct.unpack('>BI7I7', held)
  local furthest = now + math.max(most, window)
  if mark ~= 116 or arrival > furthest or covered > furthest + window then
    return ''
  end
  debt = math.max(0, arrival - now)
end
local after = debt + cost * grain
if after > most then
  return pack('<ddddd', now, 0, math.max(0, math.floor((most - debt) / grain)), after - most, debt)
end
if counts == 1 then
  debt = after
  local arrival = now + debt
  if arrival <= covered then
    redis.call('SETRANGE', key, '8', pack('>I7', arrival))
  else
    covered = arrival
    if held then
      covered = arrival + window
    end
    redis.call('SET', key, pack('>BI7I7', 116, covered, arrival),
      'PX', string.format('%d', (covered - now) / 1000 + 2))
  end
end
local reset = 0
if debt > 0 then
  reset = debt - (math.ceil(debt / grain) - 1) * grain
end
return pack('<ddddd', now, 1, math.floor((most - debt) / grain), reset, debt)
