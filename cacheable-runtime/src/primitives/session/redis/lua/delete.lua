#!lua flags=allow-oom
-- Ends a session, also on a server whose memory is full.
-- KEYS[1] session, KEYS[2] the mark of its user's generation, KEYS[3] the index
-- of its user; ARGV[1] its name in the index.
-- Returns 'gone'; 'moved' and where to; or 'ok'.
local r = redis.pcall('HMGET', KEYS[1], 'm', 'g')
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('DEL', KEYS[1]) == 0 then
  return {'gone'}
end
local mark = not r.err and r[2]
if mark and mark ~= '' and redis.call('GET', KEYS[2]) ~= mark then
  return {'gone'}
end
if mark and r[1] then
  return {'moved', r[1]}
end
return {'ok'}
