#!lua
-- What check.lua does for one exact limit, at half of its cost; the log is told
-- of there.
-- KEYS[1] the log; ARGV[1] four doubles: the cost, 1 when an allowed call is to be
-- counted, the capacity, the window.
-- Returns what check.lua returns; nothing, where it is to be asked instead: the
-- clock was set back, the log is long, or something else is under the key.
local key, pack, unpack = KEYS[1], struct.pack, struct.unpack
local cost, counts, capacity, window = unpack('<dddd', ARGV[1])
local log = redis.pcall('GETRANGE', key, '0', '16383')
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local edge = now - window
local number, gone, renewed, first, last = 0, 0, 0, 0, 0
if log ~= '' then
  -- 0 for an error.
  local size = #log
  if size % 7 ~= 1 or size < 15 or size > 16000 then
    return ''
  end
  number = (size - 8) / 7
  local mark
  mark, renewed, first = unpack('>BI7I7', log)
  last = unpack('>I7', log, size - 6)
  if mark ~= 108 or last > now then
    return ''
  end
  if last <= edge then
    gone = number
  elseif first <= edge then
    -- What is sought is near the beginning.
    local low, high = 0, 1
    while high < number and unpack('>I7', log, 9 + 7 * high) <= edge do
      low, high = high, 2 * high
    end
    high = math.min(high, number - 1)
    while high - low > 1 do
      local middle = math.floor((low + high) / 2)
      if unpack('>I7', log, 9 + 7 * middle) <= edge then
        low = middle
      else
        high = middle
      end
    end
    gone = high
    first = unpack('>I7', log, 9 + 7 * gone)
  end
end
local used = number - gone
local left = capacity - used - cost
local reset, full = 0, 0
if used > 0 then
  reset, full = first - edge, last - edge
end
if left < 0 then
  local leaver = -1 - left
  if leaver >= used then
    reset = window
  elseif leaver > 0 then
    reset = unpack('>I7', log, 9 + 7 * (gone + leaver)) - edge
  end
  return pack('<ddddd', now, 0, math.max(0, left + cost), reset, full)
end
if counts == 0 then
  return pack('<ddddd', now, 1, left + cost, reset, full)
end
local entries = pack('>I7', now)
if cost > 1 then
  entries = string.rep(entries, cost)
end
if used > 0 and gone * 8 <= used and now <= renewed and renewed <= now + window then
  redis.call('APPEND', key, entries)
else
  local life = window
  renewed = now
  if used > 0 then
    life, renewed = 2 * window, now + window
  end
  log = pack('>BI7', 108, renewed) .. string.sub(log, 9 + 7 * gone) .. entries
  redis.call('SET', key, log, 'PX', string.format('%d', life / 1000 + 2))
end
if used == 0 then
  reset = window
end
return pack('<ddddd', now, 1, left, reset, window)
