-- Says that a replica lives, forgets those that have not said so in time, and counts the rest.
--
-- KEYS[1]  the replicas: a sorted set of names, each scored with the microsecond at which it counts as gone
-- ARGV[1]  replica       the name of the one that lives
-- ARGV[2]  lifetime      microseconds for which this heartbeat stands
-- returns  {live, now}: how many live, this one among them, and the store's time
--
-- The key outlives its youngest member. `PEXPIRE … GT` would say so in one command but needs Redis 7.

assert(#KEYS == 1, 'heartbeat: one key')
assert(#ARGV == 2, 'heartbeat: two arguments')

local replica, lifetime = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + lifetime), replica)
local expiry = math.max(math.ceil(lifetime / 1000) + 1000, redis.call('PTTL', KEYS[1]))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', expiry))
return { redis.call('ZCARD', KEYS[1]), now }
