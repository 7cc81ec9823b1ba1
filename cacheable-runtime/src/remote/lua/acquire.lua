-- Places a lease where nothing is, or where exactly the bytes to replace are.
-- KEYS[1] entry; ARGV[1] lease, ARGV[2] its life in ms, ARGV[3] what may be
-- replaced, empty for nothing. Returns what is there instead, or nil.
local present = redis.call('GET', KEYS[1])
if present and present ~= ARGV[3] then
  return present
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
-- A trailing read keeps a tracking client informed of what happens next.
redis.call('EXISTS', KEYS[1])
return false
