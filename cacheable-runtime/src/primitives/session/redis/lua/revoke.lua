#!lua flags=allow-oom
-- Ends all sessions of a user but one, in one step and whatever the index says:
-- a session is alive while the mark it was made under is there. Also on a
-- server whose memory is full.
-- KEYS[1] the mark of the user's generation, KEYS[2] the session to keep, or
-- none; ARGV[1] a new mark.
-- Returns 1 if one is kept.
local kept = false
if KEYS[2] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local r = redis.pcall('HMGET', KEYS[2], 'a', 'g', 'm', 'r')
  local ends = not r.err and tonumber(r[1])
  if ends and ends > now and r[2] == redis.call('GET', KEYS[1]) and not r[3] and not r[4] then
    -- The mark first: should the second write be refused, all have ended.
    redis.call('SET', KEYS[1], ARGV[1], 'PX', string.format('%.0f', ends - now + 60000))
    redis.call('HSET', KEYS[2], 'g', ARGV[1])
    kept = true
  end
end
if not kept then
  redis.call('DEL', KEYS[1])
  return 0
end
return 1
