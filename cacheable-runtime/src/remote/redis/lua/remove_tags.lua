#!lua flags=allow-oom
-- Removes all entries of some tags by giving their markers a number that is
-- greater than any before. KEYS[1] counter, KEYS[2] and so on markers; ARGV[1]
-- the greatest number that the caller knows, ARGV[2] and so on the markers'
-- lives in ms, 0 for no end. Returns the number.
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[1]) or '') or 0
local number = math.max(last + 1, time[1] * 1000000 + time[2], ARGV[1] + 1)
number = string.format('%.0f', number)
-- Servers before 7 refuse a script in want of memory at its first write, and
-- this one needs none.
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], number)
for i = 2, #KEYS do
  if ARGV[i] == '0' then
    redis.call('SET', KEYS[i], number)
  else
    redis.call('SET', KEYS[i], number, 'PX', ARGV[i])
  end
end
return number
