#!lua flags=allow-oom
-- Lengthens the life of a lock for its owner. It never makes one and never
-- shortens one, so that it may arrive late or twice.
-- KEYS[1] lock, as acquire.lua tells; ARGV[1] owner, ARGV[2] ttl in ms, ARGV[3]
-- for how long the key is kept, in ms.
-- Returns 1; 0 when nobody has it; -1 when somebody else has it.
local held = redis.call('GET', KEYS[1])
if not held then
  return 0
end
if #held ~= 31 then
  return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owner, ends = struct.unpack('>c16I7', held)
if ends <= now then
  return 0
end
if owner ~= ARGV[1] then
  return -1
end
local longer = now + ARGV[2] * 1000
if longer > ends then
  -- First of all this, as servers before 7 ask for memory at the first write.
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('SETRANGE', KEYS[1], '16', struct.pack('>I7', longer))
end
return 1
