#!lua flags=allow-oom
-- Removes a lease that nobody will fill. KEYS[1] entry; ARGV[1] lease.
-- Returns 1, or 0 when the lease is gone.
if redis.call('GETEX', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
