#!lua flags=allow-oom
-- Gives a lease a new life. KEYS[1] entry; ARGV[1] lease, ARGV[2] life in ms.
-- Returns 1, or 0 when the lease is gone.
if redis.call('GETEX', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
