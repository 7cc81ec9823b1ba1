-- Removes a lease that nobody will fill. KEYS[1] entry; ARGV[1] lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
