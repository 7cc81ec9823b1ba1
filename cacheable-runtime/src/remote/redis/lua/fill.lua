#!lua
-- Replaces what is expected to be there by a value.
-- KEYS[1] entry, KEYS[2] where a large value is parked; ARGV[1] and ARGV[2] the
-- range of bytes to look at, ARGV[3] what they must be, ARGV[4] the value
-- unless it is parked, ARGV[5] its life in ms.
-- Returns 1; 0 when something else is there; 2 when the parked value is gone.
-- GETEX looks without being told of changes: telling of this very one would
-- end what the caller keeps of the value.
local present = redis.call('GETEX', KEYS[1])
if not present or string.sub(present, ARGV[1] + 1, ARGV[2] + 1) ~= ARGV[3] then
  if KEYS[2] then
    redis.call('DEL', KEYS[2])
  end
  return 0
end
if not KEYS[2] then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
elseif redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[1])
else
  return 2
end
-- From here on the caller is told of changes.
redis.call('EXISTS', KEYS[1])
return 1
