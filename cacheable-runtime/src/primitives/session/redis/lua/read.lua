#!lua flags=no-writes
-- Reads a session. It writes nothing, so that a server that refuses writes is
-- still of use.
-- KEYS[1] session, KEYS[2] the mark of its user's generation.
-- Returns 'gone'; 'corrupt'; 'moved' and where to; or 'live', the user, the
-- data, and in one text, as each text of an answer costs its reader: when it was
-- made, when it ends at last, the idle timeout in ms, the version, '1' if it is
-- retired or '0', when it expires, the time.
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
if mark ~= '' and redis.call('GET', KEYS[2]) ~= mark then
  return {'gone'}
end
if r[1] then
  return {'moved', r[1]}
end
local ends = tonumber(r[4])
if not (ends and r[2] and r[3] and tonumber(r[5]) and r[6] and r[9]) then
  return {'corrupt'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ends <= now then
  return {'gone'}
end
local left = math.max(redis.call('PTTL', KEYS[1]), 0)
return {'live', r[2], r[9], string.format('%s %s %s %s %s %.0f %.0f',
  r[3], r[4], r[5], r[6], r[8] and '1' or '0', now + left, now)}
