#!lua
-- Places a lease where nothing is, or where what may be replaced is.
-- KEYS[1] entry; ARGV[1] lease, ARGV[2] its life in ms; where something may be
-- replaced, ARGV[3] and ARGV[4] the range of bytes to look at, and ARGV[5] what
-- they must be. Returns what is there instead, or nil.
-- GETEX looks without being told of changes, as GET would be: see conn.
local present = redis.call('GETEX', KEYS[1])
if present then
  if not ARGV[3] or string.sub(present, ARGV[3] + 1, ARGV[4] + 1) ~= ARGV[5] then
    -- Who waits for it is to be told.
    redis.call('EXISTS', KEYS[1])
    return present
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
