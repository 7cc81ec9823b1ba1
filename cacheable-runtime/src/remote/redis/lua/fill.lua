#!lua
-- Replaces what is expected to be there by a value.
-- KEYS[1] entry, KEYS[2] where a large value is parked; ARGV[1] and ARGV[2] the
-- range of bytes to look at, ARGV[3] what they must be, ARGV[4] the value
-- unless it is parked, ARGV[5] its life in ms.
-- Returns 1; 0 when something else is there; 2 when the parked value is gone.
if redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[2]) ~= ARGV[3] then
  if KEYS[2] then
    redis.call('DEL', KEYS[2])
  end
  return 0
end
if not KEYS[2] then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
elseif redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[1])
  -- Where it was parked it had a short life, in case this never comes.
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
else
  return 2
end
-- A trailing read keeps a tracking client informed of what happens next.
redis.call('EXISTS', KEYS[1])
return 1
