#!lua flags=allow-oom
-- Removes those of the entries whose stamp is less than a number: removed by a
-- marker, and not loaded since. KEYS entries; ARGV[1] and ARGV[2] where in an
-- entry its stamp is, ARGV[3] the number. Returns how many there were.
local removed = 0
for _, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok == 'string' then
    local stamp = redis.call('GETRANGE', key, ARGV[1], ARGV[2])
    -- A lease is shorter.
    if #stamp == 8 and struct.unpack('<I8', stamp) < tonumber(ARGV[3]) then
      removed = removed + redis.call('UNLINK', key)
    end
  end
end
return removed
