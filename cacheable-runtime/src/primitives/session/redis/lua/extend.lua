#!lua flags=allow-oom
-- Lets a session live on, to its end at most, and never shorter than it would.
-- KEYS[1] session, as create.lua tells, KEYS[2] the mark of its user's generation;
-- ARGV[1] for how many ms from now, as a double, or below 0 for its idle timeout.
-- Returns 'gone'; 'corrupt'; 'moved' and where to; or 'ok' and as doubles the
-- version, when it expires.
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
local kind, mark, _, ends, idle, version = struct.unpack('<Bc24dddd', head)
if kind ~= 76 and kind ~= 77 and kind ~= 82 then
  return 'corrupt'
end
if string.byte(mark) ~= 0 and redis.call('GET', KEYS[2]) ~= mark then
  return 'gone'
end
if kind == 77 then
  return 'moved' .. string.sub(head, 58)
end
local ttl = struct.unpack('<d', ARGV[1])
if ttl < 0 then
  ttl = idle
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if kind == 82 or ends <= now then
  return 'gone'
end
local before = now + redis.call('PTTL', KEYS[1])
local expires = math.min(now + ttl, ends)
if expires > before then
  redis.call('PEXPIREAT', KEYS[1], string.format('%d', expires))
else
  expires = before
end
return 'ok' .. struct.pack('<dd', version, expires)
