#!lua flags=allow-oom
-- Ends a session, also on a server whose memory is full.
-- KEYS[1] session, KEYS[2] the mark of its user's generation, KEYS[3] the index
-- of its user; ARGV[1] its name in the index. An old name stays, to go by
-- itself, so that what fails where it leads to can be tried again.
-- Returns 'gone'; 'moved' and where to; or 'ok'.
local r = redis.pcall('HMGET', KEYS[1], 'm', 'g')
local mark = not r.err and r[2]
local dead = mark and mark ~= '' and redis.call('GET', KEYS[2]) ~= mark
if mark and r[1] and not dead then
  return {'moved', r[1]}
end
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('DEL', KEYS[1]) == 0 or dead then
  return {'gone'}
end
return {'ok'}
