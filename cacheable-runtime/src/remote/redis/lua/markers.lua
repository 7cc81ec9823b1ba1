#!lua flags=allow-oom
-- The markers of some tags, and the counter before them.
-- KEYS[1] counter, KEYS[2] and so on markers; ARGV[1] and so on the life in ms
-- of the marker behind it, should it have to be made; 0 for no end.
-- A marker that is not there may have been lost, and with it a removal. The
-- counter is greater than the number of that removal or equal to it.
local counter = tonumber(redis.call('GET', KEYS[1]) or '')
if not counter then
  local time = redis.call('TIME')
  counter = time[1] * 1000000 + time[2]
  redis.call('SET', KEYS[1], string.format('%.0f', counter))
end
counter = string.format('%.0f', counter)
local answer = {counter}
for i = 2, #KEYS do
  local marker = redis.call('GET', KEYS[i])
  if not marker or not tonumber(marker) then
    marker = counter
    if ARGV[i - 1] == '0' then
      redis.call('SET', KEYS[i], marker)
    else
      redis.call('SET', KEYS[i], marker, 'PX', ARGV[i - 1])
    end
    -- A trailing read keeps a tracking client informed of what happens next.
    redis.call('EXISTS', KEYS[i])
  end
  answer[i] = marker
end
return answer
