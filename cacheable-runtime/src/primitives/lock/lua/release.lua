#!lua flags=allow-oom
-- Gives a lock back for its owner, and tells those who wait.
-- KEYS[1] lock, as acquire.lua tells, which is also the channel; ARGV[1] owner,
-- ARGV[2] PUBLISH, or SPUBLISH in a cluster that knows it, ARGV[3] something if
-- its time may be over.
-- Returns 1; 0 when nobody has it; -1 when somebody else has it.
local held = redis.call('GET', KEYS[1])
if not held then
  return 0
end
if #held ~= 31 then
  return -1
end
local ours = string.sub(held, 1, 16) == ARGV[1]
-- The time is asked for where it matters: as long as nobody else is named here,
-- nobody else has had it.
if not ours or ARGV[3] then
  local time = redis.call('TIME')
  if struct.unpack('>I7', held, 17) <= time[1] * 1000000 + time[2] then
    return 0
  end
  if not ours then
    return -1
  end
end
local free = '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
local answer = redis.pcall('SETRANGE', KEYS[1], '0', free)
if type(answer) == 'table' then
  -- Servers before 7 ask for memory at the first write, if it may take some.
  local left = redis.call('PTTL', KEYS[1])
  if left > 0 then
    redis.call('PEXPIRE', KEYS[1], left)
  end
  redis.call('SETRANGE', KEYS[1], '0', free)
end
if string.byte(held, 31) == 1 then
  -- A user who may not publish has released nevertheless.
  redis.pcall(ARGV[2], KEYS[1], '')
end
return 1
