#!lua flags=allow-oom
-- The number of the last removal of a tag. KEYS[1] counter.
-- Begins with the time, in microseconds, so that a counter that was lost goes
-- on above all numbers that it has given out. It writes in any case: a server
-- that takes no writes shows it by an error.
local counter = tonumber(redis.call('GET', KEYS[1]) or '')
if counter then
  redis.call('PERSIST', KEYS[1])
else
  local time = redis.call('TIME')
  counter = time[1] * 1000000 + time[2]
  redis.call('SET', KEYS[1], string.format('%.0f', counter))
end
return string.format('%.0f', counter)
