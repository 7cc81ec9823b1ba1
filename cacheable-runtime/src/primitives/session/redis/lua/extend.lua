#!lua
-- Lets a session live on, to its end at most, and never shorter than it would.
-- KEYS[1] session, KEYS[2] the mark of its user's generation; ARGV[1] for how
-- many ms from now, or '' for its idle timeout.
-- Returns 'gone'; 'corrupt'; 'moved' and where to; or 'ok', the version, when
-- it expires.
local r = redis.pcall('HMGET', KEYS[1], 'm', 'a', 'i', 'v', 'g', 'r')
if r.err then
  if string.find(r.err, 'WRONGTYPE', 1, true) then
    return {'corrupt'}
  end
  return r
end
local mark = r[5]
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
local ttl = tonumber(ARGV[1]) or tonumber(r[3])
if not (ends and ttl and r[4]) then
  return {'corrupt'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if r[6] or ends <= now then
  return {'gone'}
end
local before = now + redis.call('PTTL', KEYS[1])
local expires = math.min(now + ttl, ends)
if expires > before then
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', expires))
else
  expires = before
end
return {'ok', r[4], string.format('%.0f', expires)}
