#!lua
-- Claims the refresh of a value that stays where it is.
-- KEYS[1] entry, KEYS[2] mark; ARGV[1] and ARGV[2] where in the entry its serial
-- is, ARGV[3] the serial that was read, ARGV[4] the claim, ARGV[5] its life in ms.
-- Returns 1; 0 when somebody else has claimed it, or it has failed lately; 2
-- when the entry is another one by now.
if redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[2]) ~= ARGV[3] then
  return 2
end
if redis.call('SET', KEYS[2], ARGV[4], 'NX', 'PX', ARGV[5]) then
  return 1
end
return 0
