#!lua
-- Keeps a message in a stream, and tells those who listen that there is one.
--
-- KEYS[1]  the stream; what rings for it is published under the same name, so
--          that both are in one slot.
-- ARGV     the message; how many to keep at least; for how long, in ms.
-- Answer   its id, `<ms>-<number>`.
--
-- The number is one more than that of the message before, so that a reader
-- knows how many it has missed. A stream begins with the time in microseconds,
-- and each message says with which number its stream began: a reader knows one
-- that was begun anew.
local now = redis.call('TIME')
local micros = tonumber(now[1]) * 1000000 + tonumber(now[2])
local time = math.floor(micros / 1000)
local number = micros
local first = string.format('%.0f', micros)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last then
    if #last[2] ~= 4 or last[2][1] ~= 'first' then
        return redis.error_reply('WRONGTYPE the stream is of another program')
    end
    local before, count = string.match(last[1], '^(%d+)-(%d+)$')
    -- A clock that was set back does not take the order along.
    time = math.max(time, tonumber(before))
    number = tonumber(count) + 1
    first = last[2][2]
end
local life = tonumber(ARGV[3])
local id = string.format('%.0f-%.0f', time, number)
-- First: a user who may not do this has kept nothing then. Whoever hears it reads
-- when the script has ended.
-- Servers before 7 do not tell their version, nor do they know sharded channels.
if redis.REDIS_VERSION_NUM then
    redis.call('SPUBLISH', KEYS[1], id)
else
    redis.call('PUBLISH', KEYS[1], id)
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], id, 'first', first, 'message', ARGV[1])
if time > life then
    redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', time - life))
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return id
