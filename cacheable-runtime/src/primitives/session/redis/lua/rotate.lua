#!lua
-- Gives a session another name, and leaves where it went under the old one.
-- KEYS[1] the old session, KEYS[2] the new one, KEYS[3] the mark of its user's
-- generation, KEYS[4] the index of its user; ARGV[1] and ARGV[2] the old and
-- the new name in the index, ARGV[3] where the new one is, ARGV[4] for how many
-- ms the old name leads there.
-- Returns 'gone'; 'corrupt'; 'conflict' when it was done already; 'taken'; or
-- what reading the new one would.
local r = redis.pcall('HMGET', KEYS[1], 'm', 'u', 'c', 'a', 'i', 'v', 'g', 'r', 'd')
if r.err then
  if string.find(r.err, 'WRONGTYPE', 1, true) then
    return {'corrupt'}
  end
  return r
end
local mark = r[7]
if not mark then
  return {redis.call('EXISTS', KEYS[1]) == 1 and 'corrupt' or 'gone'}
end
if mark ~= '' and redis.call('GET', KEYS[3]) ~= mark then
  return {'gone'}
end
if r[1] or r[8] then
  return {'conflict'}
end
local ends, idle = tonumber(r[4]), tonumber(r[5])
if not (ends and idle and r[2] and r[3] and r[6] and r[9]) then
  return {'corrupt'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
if ends <= now then
  return {'gone'}
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return {'taken'}
end
-- To rotate is to use it.
local expires = math.max(math.min(now + idle, ends), now + redis.call('PTTL', KEYS[1]))
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('PEXPIREAT', KEYS[2], text(expires))
if tonumber(ARGV[4]) > 0 then
  redis.call('HSET', KEYS[1], 'm', ARGV[3], 'g', mark)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
if mark ~= '' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[4], text(ends), ARGV[2])
  if redis.call('PTTL', KEYS[4]) < ends - now then
    redis.call('PEXPIREAT', KEYS[4], text(ends + 60000))
  end
end
return {'live', r[2], r[9], string.format('%s %s %s %s 0 %.0f %.0f',
  r[3], r[4], r[5], r[6], expires, now)}
