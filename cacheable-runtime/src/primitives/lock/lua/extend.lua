#!lua flags=allow-oom
-- Lengthens the life of a lock for its owner. It never makes one and never
-- shortens one, so that it may arrive late or twice.
-- KEYS[1] lock, KEYS[2] its last fence; ARGV[1] owner, ARGV[2] ttl in ms,
-- ARGV[3] for how long the last fence is kept, in ms.
-- Returns 1; 0 when there is no lock; -1 when somebody else has it.
local holder = redis.call('GET', KEYS[1])
if not holder then
  return 0
end
if holder ~= ARGV[1] then
  return -1
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
