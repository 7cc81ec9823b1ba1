#!lua
-- Takes a lock that nobody holds, or tells for how long it is held.
-- KEYS[1] lock, KEYS[2] its last fence; ARGV[1] owner, ARGV[2] ttl in ms,
-- ARGV[3] for how long the last fence is kept, in ms.
-- Returns {1, fence}, or {0, ms that are left to the holder}.
-- Who asks again because an answer was lost is given the same fence.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return {0, redis.call('PTTL', KEYS[1])}
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  local last = tonumber(redis.call('GET', KEYS[2]) or '')
  if last then
    redis.call('PEXPIRE', KEYS[2], ARGV[3])
    return {1, string.format('%.0f', last)}
  end
end
-- The time, so that fences go on rising when the last one was lost.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fence = string.format('%.0f', now)
local last = tonumber(redis.call('SET', KEYS[2], fence, 'PX', ARGV[3], 'GET') or '')
if last and last >= now then
  fence = string.format('%.0f', last + 1)
  redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
end
return {1, fence}
