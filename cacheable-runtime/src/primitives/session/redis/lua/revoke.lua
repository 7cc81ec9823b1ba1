#!lua flags=allow-oom
-- Ends all sessions of a user but one, in one step and whatever the index says:
-- a session is alive while the mark it was made under is there. Also on a
-- server whose memory is full.
-- KEYS[1] the mark of the user's generation, KEYS[2] the session to keep, as
-- create.lua tells, or none; ARGV[1] a new mark.
-- Returns 1 if one is kept.
local kept = false
if KEYS[2] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local head = redis.pcall('HGET', KEYS[2], 'h')
  if type(head) == 'string' and #head >= 57 then
    local kind, mark, _, ends = struct.unpack('<Bc24dd', head)
    if kind == 76 and ends > now and mark == redis.call('GET', KEYS[1]) then
      -- The mark first: should the second write be refused, all have ended.
      redis.call('SET', KEYS[1], ARGV[1], 'PX', string.format('%d', ends - now + 60000))
      redis.call('HSET', KEYS[2], 'h', 'L' .. ARGV[1] .. string.sub(head, 26))
      kept = true
    end
  end
end
if not kept then
  redis.call('DEL', KEYS[1])
  return 0
end
return 1
