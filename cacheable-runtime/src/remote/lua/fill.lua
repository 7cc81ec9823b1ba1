-- Replaces a lease by the value that was loaded under it.
-- KEYS[1] entry; ARGV[1] lease, ARGV[2] value, ARGV[3] its life in ms.
-- Returns 1, or 0 when the lease is gone.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- A trailing read keeps a tracking client informed of what happens next.
redis.call('EXISTS', KEYS[1])
return 1
