#!lua flags=allow-oom
-- Takes back the latest of what was counted under a limit.
-- KEYS[1] the history; ARGV[1] how much, ARGV[2] the algorithm, ARGV[3] the
-- capacity, ARGV[4] the window, ARGV[5] the grain, in microseconds.
-- Returns how much was taken back; -1 when the key holds something else.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local units = tonumber(ARGV[1])
local capacity, window, grain = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local key = KEYS[1]

local function text(number)
  return string.format('%.0f', number)
end

local function wrong(answer)
  if answer and not string.find(answer.err, 'WRONGTYPE', 1, true) then
    return answer
  end
  return -1
end

local function exact()
  local last = redis.pcall('LINDEX', key, -1)
  if type(last) == 'table' then
    return wrong(last)
  end
  if last and not tonumber(last) then
    return wrong()
  end
  local length = redis.call('LLEN', key)
  local back = 0
  while back < units and length > 0 do
    local number = math.min(units - back, length, 1000)
    for _, entry in ipairs(redis.call('RPOP', key, text(number))) do
      -- What has left the window is nothing that anybody would get back.
      if tonumber(entry) > now - window then
        back = back + 1
      else
        return back
      end
    end
    length = length - number
  end
  return back
end

local function segmented()
  local fields = redis.pcall('HGETALL', key)
  if fields.err then
    return wrong(fields)
  end
  local segments, number_in = {}, {}
  for i = 1, #fields, 2 do
    local segment, number = tonumber(fields[i]), tonumber(fields[i + 1])
    if not segment or not number then
      return wrong()
    end
    if (segment + 1) * grain + window > now then
      segments[#segments + 1] = segment
      number_in[segment] = number
    end
  end
  table.sort(segments)
  local back = 0
  for i = #segments, 1, -1 do
    local segment = segments[i]
    local some = math.min(number_in[segment], units - back)
    if some < number_in[segment] then
      redis.call('HINCRBY', key, text(segment), text(-some))
    else
      redis.call('HDEL', key, text(segment))
    end
    back = back + some
    if back == units then
      break
    end
  end
  return back
end

local function gcra()
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then
    return wrong(held)
  end
  if not held then
    return 0
  end
  if not tonumber(held) then
    return wrong()
  end
  local debt = math.min(math.max(0, held - now), math.max(capacity * grain, window))
  local back = math.min(units, math.ceil(debt / grain))
  debt = debt - back * grain
  if debt <= 0 then
    redis.call('DEL', key)
  else
    redis.call('SET', key, text(now + debt), 'PX', text(math.floor(debt / 1000) + 2))
  end
  return back
end

if ARGV[2] == 'x' then
  return exact()
elseif ARGV[2] == 's' then
  return segmented()
end
return gcra()
