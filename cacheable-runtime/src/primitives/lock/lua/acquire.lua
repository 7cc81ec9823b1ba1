#!lua
-- Takes a lock that nobody holds, or tells for how long it is held.
-- KEYS[1] lock; ARGV[1] owner, ARGV[2] ttl in ms, ARGV[3] for how long the key is
-- kept, in ms.
-- Returns the fence; or the ms that are left to the holder, as a number that is
-- not above 0. Who asks again because an answer was lost is given the same fence.
--
-- The key outlives the lock by far, so that fences go on rising when the clock is
-- set back. It holds the owner, or zeros, in 16 bytes; until when it is held, and
-- the last fence, both microseconds in 7 bytes; and 1 if somebody waits for it.
local key = KEYS[1]
local held = redis.pcall('GET', key)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- The time, so that fences go on rising when the last one was lost.
local fence, awaited = now, 0
if held then
  -- 0 for an error.
  if #held ~= 31 then
    return -math.max(0, redis.call('PTTL', key))
  end
  local owner, ends, last, waits = struct.unpack('>c16I7I7B', held)
  if ends <= now then
    fence = math.max(now, last + 1)
  elseif owner == ARGV[1] then
    fence, awaited = last, waits
  else
    if waits == 0 then
      redis.call('SETRANGE', key, '30', '\1')
    end
    return -math.ceil((ends - now) / 1000)
  end
end
local ends = now + ARGV[2] * 1000
redis.call('SET', key, struct.pack('>c16I7I7B', ARGV[1], ends, fence, awaited), 'PX', ARGV[3])
return fence
