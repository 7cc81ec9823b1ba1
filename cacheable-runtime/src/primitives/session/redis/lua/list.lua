#!lua flags=allow-oom
-- Tells of the sessions of a user that are alive, of those that are named, and
-- removes what is left of the others. One that has just been rotated is left to
-- its grace.
-- KEYS[1] the index of the user, KEYS[2] the mark of the user's generation,
-- KEYS[3] and on the sessions, as create.lua tells; ARGV[n] the name of
-- KEYS[n + 2] in the index.
-- Returns as doubles how many sessions were removed and the time, and for each
-- that is alive its number in ARGV, when it was made, when it ends at last, its
-- idle timeout in ms, when it expires.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation = redis.call('GET', KEYS[2])
local removed, living = 0, {}
for n = 3, #KEYS do
  local head = redis.pcall('HGET', KEYS[n], 'h')
  local kind, mark, created, ends, idle
  if type(head) == 'string' and #head >= 57 then
    kind, mark, created, ends, idle = struct.unpack('<Bc24ddd', head)
  end
  local current = mark and mark == generation
  if current and kind ~= 76 then
    redis.call('ZREM', KEYS[1], ARGV[n - 2])
  elseif current and ends > now then
    local expires = now + math.max(redis.call('PTTL', KEYS[n]), 0)
    living[#living + 1] = struct.pack('<ddddd', n - 2, created, ends, idle, expires)
  else
    removed = removed + redis.call('UNLINK', KEYS[n])
    redis.call('ZREM', KEYS[1], ARGV[n - 2])
  end
end
return struct.pack('<dd', removed, now) .. table.concat(living)
