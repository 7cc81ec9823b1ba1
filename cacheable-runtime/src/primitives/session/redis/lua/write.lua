#!lua
-- Replaces the data of a session that is there.
-- KEYS[1] session, KEYS[2] the mark of its user's generation; ARGV[1] the data,
-- ARGV[2] the version it must have, or '', ARGV[3] a new idle timeout in ms, or
-- '' to leave its life as it is, ARGV[4] '1': it ends at last then, too.
-- Returns 'gone'; 'corrupt'; 'conflict'; 'moved' and where to; or 'ok', the new
-- version, when it expires.
local r = redis.pcall('HMGET', KEYS[1], 'm', 'a', 'v', 'g', 'r')
if r.err then
  if string.find(r.err, 'WRONGTYPE', 1, true) then
    return {'corrupt'}
  end
  return r
end
local mark = r[4]
if not mark then
  return {redis.call('EXISTS', KEYS[1]) == 1 and 'corrupt' or 'gone'}
end
if mark ~= '' and redis.call('GET', KEYS[2]) ~= mark then
  return {'gone'}
end
if r[1] then
  return {'moved', r[1]}
end
local ends = tonumber(r[2])
if not (ends and tonumber(r[3])) then
  return {'corrupt'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if r[5] or ends <= now then
  return {'gone'}
end
if ARGV[2] ~= '' and ARGV[2] ~= r[3] then
  return {'conflict'}
end
local version = string.format('%.0f', tonumber(r[3]) + 1)
redis.call('HSET', KEYS[1], 'd', ARGV[1], 'v', version)
local expires
if ARGV[3] == '' then
  expires = now + redis.call('PTTL', KEYS[1])
else
  if ARGV[4] == '1' then
    ends = now + tonumber(ARGV[3])
    redis.call('HSET', KEYS[1], 'a', string.format('%.0f', ends))
  end
  expires = math.min(now + tonumber(ARGV[3]), ends)
  redis.call('HSET', KEYS[1], 'i', ARGV[3])
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', expires))
end
return {'ok', version, string.format('%.0f', expires)}
