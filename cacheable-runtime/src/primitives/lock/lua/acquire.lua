#!lua
-- Takes a lock that nobody holds, or tells for how long it is held.
-- KEYS[1] lock, KEYS[2] its last fence; ARGV[1] owner, ARGV[2] ttl in ms,
-- ARGV[3] for how long the last fence is kept, in ms.
-- Returns {1, fence}, or {0, ms that are left to the holder}.
-- Who asks again because an answer was lost is given the same fence.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {0, redis.call('PTTL', KEYS[1])}
end
local last = tonumber(redis.call('GET', KEYS[2]) or '')
if holder and last then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return {1, string.format('%.0f', last)}
end
-- The time, so that fences go on rising when the last one was lost.
local time = redis.call('TIME')
local fence = math.max((last or 0) + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[2], string.format('%.0f', fence), 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1, string.format('%.0f', fence)}
