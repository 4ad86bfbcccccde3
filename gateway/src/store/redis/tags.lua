-- Begins a new generation of one tag.
--
-- KEYS[1]   the generations: a hash of tags
-- ARGV[1]   the tag
-- returns   its generation
--
-- The server's time, so that none comes twice, also after the key was lost; and later than the last, also if the clock was put back.

assert(#KEYS == 1, 'tags: one key')
assert(#ARGV == 1, 'tags: one argument')

local time = redis.call('TIME')
local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local generation = math.max(time[1] * 1000000 + time[2], last + 1)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', generation))
return generation
