#!lua
-- Gives a session another name, and leaves where it went under the old one.
-- KEYS[1] the old session, KEYS[2] the new one, as create.lua tells, KEYS[3] the
-- mark of its user's generation, KEYS[4] the index of its user; ARGV[1] and
-- ARGV[2] the old and the new name in the index, ARGV[3] where the new one is,
-- ARGV[4] for how many ms the old name leads there.
-- Returns 'gone'; 'corrupt'; 'conflict' when it was done already; 'taken'; or
-- what reading the new one would.
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
local kind, mark, created, ends, idle = struct.unpack('<Bc24ddd', head)
if kind ~= 76 and kind ~= 77 and kind ~= 82 then
  return 'corrupt'
end
local owned = string.byte(mark) ~= 0
if owned and redis.call('GET', KEYS[3]) ~= mark then
  return 'gone'
end
if kind ~= 76 then
  return 'conflict'
end
if not data then
  return 'corrupt'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number)
  return string.format('%d', number)
end
if ends <= now then
  return 'gone'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 'taken'
end
-- To rotate is to use it.
local expires = math.max(math.min(now + idle, ends), now + redis.call('PTTL', KEYS[1]))
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('PEXPIREAT', KEYS[2], text(expires))
if tonumber(ARGV[4]) > 0 then
  local left = struct.pack('<Bc24dddd', 77, mark, created, ends, idle, 0) .. ARGV[3]
  redis.call('HSET', KEYS[1], 'h', left)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
if owned then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[4], text(ends), ARGV[2])
  if redis.call('PTTL', KEYS[4]) < ends - now then
    redis.call('PEXPIREAT', KEYS[4], text(ends + 60000))
  end
end
return 'live' .. struct.pack('<ddd', expires, now, #head) .. head .. data
