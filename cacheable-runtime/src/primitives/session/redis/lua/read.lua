#!lua flags=no-writes
-- Reads a session. It writes nothing, so that a server that refuses writes is
-- still of use.
-- KEYS[1] session, as create.lua tells, KEYS[2] the mark of its user's generation.
-- Returns 'gone'; 'corrupt'; 'moved' and where to; or 'live' and as doubles when it
-- expires, the time, how long the head is; the head; and the data. One text, as
-- each text of an answer costs its reader.
local both = redis.pcall('HMGET', KEYS[1], 'h', 'd')
if both.err then
  if string.find(both.err, 'WRONGTYPE', 1, true) then
    return 'corrupt'
  end
  return both
end
local head, data = both[1], both[2]
if not head or #head < 57 then
  return redis.call('EXISTS', KEYS[1]) == 1 and 'corrupt' or 'gone'
end
local kind, mark, _, ends = struct.unpack('<Bc24dd', head)
if kind ~= 76 and kind ~= 77 and kind ~= 82 then
  return 'corrupt'
end
if string.byte(mark) ~= 0 and redis.call('GET', KEYS[2]) ~= mark then
  return 'gone'
end
if kind == 77 then
  return 'moved' .. string.sub(head, 58)
end
if not data then
  return 'corrupt'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ends <= now then
  return 'gone'
end
local expires = now + math.max(redis.call('PTTL', KEYS[1]), 0)
return 'live' .. struct.pack('<ddd', expires, now, #head) .. head .. data
