#!lua flags=allow-oom
-- Removes a lock for its owner, and tells those who wait.
-- KEYS[1] lock, which is also the channel; ARGV[1] owner, ARGV[2] PUBLISH, or
-- SPUBLISH in a cluster that knows it.
-- Returns 1; 0 when there is no lock; -1 when somebody else has it.
local holder = redis.call('GET', KEYS[1])
if not holder then
  return 0
end
if holder ~= ARGV[1] then
  return -1
end
redis.call('DEL', KEYS[1])
-- A user who may not publish has released nevertheless.
redis.pcall(ARGV[2], KEYS[1], '')
return 1
