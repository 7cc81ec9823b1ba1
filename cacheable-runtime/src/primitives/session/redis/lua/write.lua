#!lua
-- Replaces the data of a session that is there.
-- KEYS[1] session, as create.lua tells, KEYS[2] the mark of its user's generation;
-- ARGV[1] the data, ARGV[2] as doubles the version it must have, and a new idle
-- timeout in ms, each below 0 to leave it as it is, and 1 if it ends at last then,
-- too.
-- Returns 'gone'; 'corrupt'; 'conflict'; 'moved' and where to; or 'ok' and as
-- doubles the new version, when it expires.
local head = redis.pcall('HGET', KEYS[1], 'h')
if type(head) == 'table' then
  if string.find(head.err, 'WRONGTYPE', 1, true) then
    return 'corrupt'
  end
  return head
end
if not head or #head < 57 then
  return redis.call('EXISTS', KEYS[1]) == 1 and 'corrupt' or 'gone'
end
local kind, mark, created, ends, idle, version = struct.unpack('<Bc24dddd', head)
if kind ~= 76 and kind ~= 77 and kind ~= 82 then
  return 'corrupt'
end
if string.byte(mark) ~= 0 and redis.call('GET', KEYS[2]) ~= mark then
  return 'gone'
end
if kind == 77 then
  return 'moved' .. string.sub(head, 58)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if kind == 82 or ends <= now then
  return 'gone'
end
local wanted, ttl, last = struct.unpack('<ddd', ARGV[2])
if wanted >= 0 and wanted ~= version then
  return 'conflict'
end
local expires
if ttl >= 0 then
  idle = ttl
  if last == 1 then
    ends = now + ttl
  end
  expires = math.min(now + ttl, ends)
end
version = version + 1
head = struct.pack('<Bc24dddd', kind, mark, created, ends, idle, version) .. string.sub(head, 58)
redis.call('HSET', KEYS[1], 'h', head, 'd', ARGV[1])
if expires then
  redis.call('PEXPIREAT', KEYS[1], string.format('%d', expires))
else
  expires = now + redis.call('PTTL', KEYS[1])
end
return 'ok' .. struct.pack('<dd', version, expires)
