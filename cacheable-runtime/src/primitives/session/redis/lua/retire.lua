#!lua
-- Ends a session that another one has taken over from. What it was can be read
-- for a while, for requests that were sent before.
-- KEYS[1] session, as create.lua tells, KEYS[2] the mark of its user's generation,
-- KEYS[3] the index of its user; ARGV[1] its name in the index, ARGV[2] as doubles
-- the version it must have, and for how many ms it can be read.
-- Returns 'gone'; 'conflict'; or 'ok'.
local head = redis.call('HGET', KEYS[1], 'h')
if not head or #head < 57 then
  return 'gone'
end
local kind, mark, _, _, _, version = struct.unpack('<Bc24dddd', head)
if string.byte(mark) ~= 0 and redis.call('GET', KEYS[2]) ~= mark then
  return 'gone'
end
local wanted, grace = struct.unpack('<dd', ARGV[2])
if kind ~= 76 or version ~= wanted then
  return 'conflict'
end
redis.call('ZREM', KEYS[3], ARGV[1])
grace = math.min(grace, redis.call('PTTL', KEYS[1]))
if grace > 0 then
  redis.call('HSET', KEYS[1], 'h', 'R' .. string.sub(head, 2))
  redis.call('PEXPIRE', KEYS[1], string.format('%d', grace))
else
  redis.call('DEL', KEYS[1])
end
return 'ok'
