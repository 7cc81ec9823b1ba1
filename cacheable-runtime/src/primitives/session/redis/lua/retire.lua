#!lua
-- Ends a session that another one has taken over from. What it was can be read
-- for a while, for requests that were sent before.
-- KEYS[1] session, KEYS[2] the mark of its user's generation, KEYS[3] the index
-- of its user; ARGV[1] its name in the index, ARGV[2] the version it must have,
-- ARGV[3] for how many ms it can be read.
-- Returns 'gone'; 'conflict'; or 'ok'.
local r = redis.call('HMGET', KEYS[1], 'm', 'v', 'g', 'r')
local mark = r[3]
if not mark or mark ~= '' and redis.call('GET', KEYS[2]) ~= mark then
  return {'gone'}
end
if r[1] or r[4] or r[2] ~= ARGV[2] then
  return {'conflict'}
end
redis.call('ZREM', KEYS[3], ARGV[1])
local grace = math.min(tonumber(ARGV[3]), redis.call('PTTL', KEYS[1]))
if grace > 0 then
  redis.call('HSET', KEYS[1], 'r', '1')
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', grace))
else
  redis.call('DEL', KEYS[1])
end
return {'ok'}
