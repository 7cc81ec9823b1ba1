#!lua
-- Places a lease where nothing is, or where what may be replaced is.
-- KEYS[1] entry; ARGV[1] lease, ARGV[2] its life in ms, ARGV[3] and ARGV[4]
-- the range of bytes to look at, ARGV[5] what they are if it may be replaced,
-- empty for nothing. Returns what is there instead, or nil.
local present = redis.call('GET', KEYS[1])
if present then
  local range = string.sub(present, ARGV[3] + 1, ARGV[4] + 1)
  if ARGV[5] == '' or range ~= ARGV[5] then
    return present
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
-- A trailing read keeps a tracking client informed of what happens next.
redis.call('EXISTS', KEYS[1])
return false
