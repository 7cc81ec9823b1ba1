#!lua flags=allow-oom
-- Tells of the sessions of a user that are alive, of those that are named, and
-- removes what is left of the others. One that has just been rotated is left to
-- its grace.
-- KEYS[1] the index of the user, KEYS[2] the mark of the user's generation,
-- KEYS[3] and on the sessions; ARGV[n] the name of KEYS[n + 2] in the index.
-- Returns how many sessions were removed, the time, and five texts for each
-- that is alive: its name, when it was made, when it ends at last, its idle
-- timeout in ms, when it expires.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = redis.call('GET', KEYS[2])
local removed = 0
local answer = {'0', string.format('%.0f', now)}
for n = 3, #KEYS do
  local r = redis.pcall('HMGET', KEYS[n], 'c', 'a', 'i', 'g', 'r', 'm')
  local ends = not r.err and tonumber(r[2])
  local current = not r.err and r[4] and r[4] == mark
  local rotated = current and (r[5] or r[6])
  if rotated then
    redis.call('ZREM', KEYS[1], ARGV[n - 2])
  elseif current and ends and ends > now and tonumber(r[1]) and tonumber(r[3]) then
    local expires = now + math.max(redis.call('PTTL', KEYS[n]), 0)
    for _, text in ipairs({ARGV[n - 2], r[1], r[2], r[3], string.format('%.0f', expires)}) do
      answer[#answer + 1] = text
    end
  else
    removed = removed + redis.call('UNLINK', KEYS[n])
    redis.call('ZREM', KEYS[1], ARGV[n - 2])
  end
end
answer[1] = string.format('%d', removed)
return answer
