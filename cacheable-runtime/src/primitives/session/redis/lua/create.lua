#!lua
-- Makes a session, unless there is one.
-- KEYS[1] session, KEYS[2] the mark of its user's generation, KEYS[3] the index
-- of its user; ARGV[1] its name in the index, ARGV[2] the user, ARGV[3] a new
-- mark, or '' for a session of nobody, ARGV[4] and ARGV[5] idle and absolute
-- timeout in ms, ARGV[6] the data.
-- Returns 'taken', or 'ok', the time, when it expires, when it ends at last.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'taken'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number)
  return string.format('%.0f', number)
end
local absolute = tonumber(ARGV[5])
local ends = now + absolute
local expires = math.min(now + tonumber(ARGV[4]), ends)
local mark, fresh = '', false
if ARGV[3] ~= '' then
  mark = redis.call('GET', KEYS[2])
  if not mark then
    mark, fresh = ARGV[3], true
  end
end
-- First of all writes, as servers before 7 ask for memory at the first alone.
redis.call('HSET', KEYS[1], 'u', ARGV[2], 'c', text(now), 'a', text(ends),
  'i', ARGV[4], 'v', '1', 'g', mark, 'd', ARGV[6])
redis.call('PEXPIREAT', KEYS[1], text(expires))
if mark ~= '' then
  -- Both outlive every session that they are about.
  local life = absolute + 60000
  if fresh then
    redis.call('SET', KEYS[2], mark, 'PX', text(life))
  elseif redis.call('PTTL', KEYS[2]) < life then
    redis.call('PEXPIRE', KEYS[2], text(life))
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
  redis.call('ZADD', KEYS[3], text(ends), ARGV[1])
  if redis.call('PTTL', KEYS[3]) < life then
    redis.call('PEXPIRE', KEYS[3], text(life))
  end
end
return {'ok', text(now), text(expires), text(ends)}
