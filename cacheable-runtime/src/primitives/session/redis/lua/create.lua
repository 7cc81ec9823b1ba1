#!lua
-- Makes a session, unless there is one.
-- KEYS[1] session, KEYS[2] the mark of its user's generation, KEYS[3] the index
-- of its user; ARGV[1] its name in the index, ARGV[2] the user, ARGV[3] a new
-- mark, or '' for a session of nobody, ARGV[4] idle and absolute timeout in ms, as
-- doubles, ARGV[5] the data.
-- Returns 'taken', or 'ok' and as doubles the time, when it expires, when it ends
-- at last.
--
-- A session is a hash of its data `d` and a head `h`: a byte, which is L for one
-- that is alive, R for one that another one has taken over from, M for one that
-- has another name; the mark it was made under, in 24 bytes, which are zeros for a
-- session of nobody; as doubles when it was made, when it ends at last, its idle
-- timeout and its version; and the user, or where it is.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number)
  return string.format('%d', number)
end
local idle, absolute = struct.unpack('<dd', ARGV[4])
local ends = now + absolute
local expires = math.min(now + idle, ends)
local mark, fresh = string.rep('\0', 24), false
if ARGV[3] ~= '' then
  mark = redis.call('GET', KEYS[2])
  if not mark or #mark ~= 24 then
    mark, fresh = ARGV[3], true
  end
end
-- First of all writes, as servers before 7 ask for memory at the first alone.
local head = struct.pack('<Bc24dddd', 76, mark, now, ends, idle, 1) .. ARGV[2]
redis.call('HSET', KEYS[1], 'h', head, 'd', ARGV[5])
redis.call('PEXPIREAT', KEYS[1], text(expires))
if ARGV[3] ~= '' then
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
return 'ok' .. struct.pack('<ddd', now, expires, ends)
