#!lua flags=allow-oom
-- Ends a session, also on a server whose memory is full.
-- KEYS[1] session, as create.lua tells, KEYS[2] the mark of its user's generation,
-- KEYS[3] the index of its user; ARGV[1] its name in the index. An old name stays,
-- to go by itself, so that what fails where it leads to can be tried again.
-- Returns 'gone'; 'moved' and where to; or 'ok'.
local head = redis.pcall('HGET', KEYS[1], 'h')
local dead = false
if type(head) == 'string' and #head >= 57 and string.find(head, '^[LMR]') then
  local mark = string.sub(head, 2, 25)
  dead = string.byte(mark) ~= 0 and redis.call('GET', KEYS[2]) ~= mark
  if string.byte(head) == 77 and not dead then
    return 'moved' .. string.sub(head, 58)
  end
end
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('DEL', KEYS[1]) == 0 or dead then
  return 'gone'
end
return 'ok'
