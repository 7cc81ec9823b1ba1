#!lua flags=allow-oom
-- Takes back the latest of what was counted under a limit; check.lua tells what a
-- history is.
-- KEYS[1] the history; ARGV[1] a byte for the algorithm, and as doubles how much,
-- the capacity, the window and the grain.
-- Returns how much was taken back; -1 when the key holds something else.
local pack, unpack = struct.pack, struct.unpack
local algorithm, units, capacity, window, grain = unpack('<Bdddd', ARGV[1])
local held = redis.pcall('GET', KEYS[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if type(held) == 'table' then
  if string.find(held.err, 'WRONGTYPE', 1, true) then
    return -1
  end
  return held
end
if not held then
  return 0
end
if string.byte(held) ~= algorithm or #held < 15 or #held % 7 ~= 1 then
  return -1
end

-- It lives as long as it would.
local function keep(rest)
  if rest then
    -- Servers before 7 ask for memory at the first write, if it may take some.
    local left = redis.call('PTTL', KEYS[1])
    if left > 0 then
      redis.call('PEXPIRE', KEYS[1], left)
    end
    redis.call('SET', KEYS[1], rest, 'KEEPTTL')
  else
    redis.call('DEL', KEYS[1])
  end
end

local function exact()
  local length = (#held - 8) / 7
  local back = 0
  -- What has left the window is nothing that anybody would get back.
  while back < math.min(units, length)
    and unpack('>I7', held, 2 + 7 * (length - back)) > now - window do
    back = back + 1
  end
  if back > 0 then
    keep(back < length and string.sub(held, 1, -1 - 7 * back))
  end
  return back
end

local function segmented()
  local number = (#held - 15) / 7
  local _, newest, total = unpack('>BI7I7', held)
  local back, place = 0, 1
  local rest = 0
  while place <= number and (newest - place + 2) * grain + window > now do
    local count = unpack('>I7', held, 9 + 7 * place)
    local some = math.min(count, units - back)
    back, rest = back + some, count - some
    if rest > 0 then
      break
    end
    place = place + 1
  end
  if back > 0 then
    keep(rest > 0 and pack('>BI7I7I7', 99, newest - place + 1, total - back, rest)
      .. string.sub(held, 16 + 7 * place))
  end
  return back
end

local function gcra()
  local _, covered, arrival = unpack('>BI7I7', held)
  local debt = math.min(math.max(0, arrival - now), math.max(capacity * grain, window))
  local back = math.min(units, math.ceil(debt / grain))
  debt = debt - back * grain
  if back > 0 then
    keep(debt > 0 and pack('>BI7I7', 116, covered, now + debt))
  end
  return back
end

if algorithm == 108 then
  return exact()
elseif algorithm == 99 then
  return segmented()
end
return gcra()
