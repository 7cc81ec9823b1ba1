#!lua
-- What check.lua does for one exact limit, at a third of its cost.
-- KEYS[1] the history; ARGV[1] the cost, ARGV[2] 1 when an allowed call is to be
-- counted, ARGV[3] the capacity, ARGV[4] the window.
-- Returns what check.lua returns; nothing, where it is to be asked instead: the
-- clock was set back, there is much to forget or to count, or something else is
-- under the key.
local key, cost, counts = KEYS[1], tonumber(ARGV[1]), ARGV[2] == '1'
local capacity, window = tonumber(ARGV[3]), tonumber(ARGV[4])
if cost > 100 then
  return {}
end
local last = redis.pcall('LINDEX', key, -1)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local used, gone, first = 0, 0, 0
if last then
  last = tonumber(last)
  if not last or last > now then
    return {}
  end
  local edge = now - window
  first = tonumber(redis.call('LINDEX', key, 0))
  while first and first <= edge do
    gone = gone + 1
    if gone > 8 then
      return {}
    end
    first = tonumber(redis.call('LINDEX', key, gone) or '')
  end
  used = redis.call('LLEN', key) - gone
  if used > 0 and not first then
    return {}
  end
  if gone > 0 and counts then
    redis.call('LTRIM', key, gone, -1)
    gone = 0
  end
end
local reset, full = 0, 0
if used > 0 then
  reset, full = first + window - now, last + window - now
end
if used + cost > capacity then
  local leaver = used + cost - capacity - 1
  if leaver >= used then
    reset = window
  elseif leaver > 0 then
    reset = redis.call('LINDEX', key, gone + leaver) + window - now
  end
  return {now, 0, math.max(0, capacity - used), reset, full}
end
if not counts then
  return {now, 1, capacity - used, reset, full}
end
local entry = string.format('%.0f', now)
if cost == 1 then
  redis.call('RPUSH', key, entry)
else
  local entries = {}
  for i = 1, cost do
    entries[i] = entry
  end
  redis.call('RPUSH', key, unpack(entries))
end
redis.call('PEXPIRE', key, math.floor(window / 1000) + 2)
if used == 0 then
  reset = window
end
return {now, 1, capacity - used - cost, reset, window}
