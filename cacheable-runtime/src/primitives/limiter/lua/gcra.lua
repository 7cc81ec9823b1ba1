#!lua
-- What check.lua does for one even rate, at half of its cost.
-- KEYS[1] the history; ARGV[1] the cost, ARGV[2] 1 when an allowed call is to be
-- counted, ARGV[3] the capacity, ARGV[4] the window, ARGV[5] the grain.
-- Returns what check.lua returns; nothing, where it is to be asked instead: the
-- clock was set back, something else is under the key, or the limit is 0.
local key, cost = KEYS[1], tonumber(ARGV[1])
local capacity, window, grain = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- It denies everything, and refuses no cost before.
if capacity == 0 then
  return {}
end
local held = redis.pcall('GET', key)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most, debt = capacity * grain, 0
if held then
  held = tonumber(held)
  if not held or held - now > math.max(most, window) then
    return {}
  end
  debt = math.max(0, held - now)
end
local function reset_of(debt)
  if debt == 0 then
    return 0
  end
  return debt - (math.ceil(debt / grain) - 1) * grain
end
local after = debt + cost * grain
if after > most then
  return {now, 0, math.max(0, math.floor((most - debt) / grain)), after - most, debt}
end
if ARGV[2] == '1' then
  debt = after
  redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.floor(debt / 1000) + 2)
end
return {now, 1, math.floor((most - debt) / grain), reset_of(debt), debt}
