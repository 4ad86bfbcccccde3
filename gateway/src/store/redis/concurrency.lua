-- Slots for requests in flight, each held by a lease: one decision on one key. The same as `policy::concurrency::Slots`.
--
-- KEYS[1]  the slots that are taken: a sorted set of `HOLDER:NUMBER`, each scored with the microsecond at which its lease ends
-- ARGV[1]  'acquire', 'release' or 'renew'
-- ARGV[2]  limit         slots
-- ARGV[3]  lease         microseconds
-- ARGV[4]  holder        whose slots: a text
-- ARGV[5]  first         the number of the first; the others follow, modulo 2^32
-- ARGV[6]  requests      that want slots; or how many slots to release or renew
-- ARGV[7]  cost          slots each request wants
-- ARGV[8]  now           tests only; otherwise the server's clock decides
-- returns  {granted, remaining, retry_after, full_after, now}, times in microseconds, `retry_after` being when leases end that are
--          not renewed; or how many of the slots were known
--
-- Nothing is written for a denial. The key outlives the last lease. A renewal takes a slot again whose lease has ended.

assert(#KEYS == 1, 'concurrency: one key')
assert(#ARGV == 7 or #ARGV == 8, 'concurrency: seven arguments')

local key, verb, holder = KEYS[1], ARGV[1], ARGV[4]
local limit, lease, first = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local requests, cost = tonumber(ARGV[6]), tonumber(ARGV[7])
local now = tonumber(ARGV[8])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function whole(number)
  return string.format('%.0f', number)
end
local function slot(place)
  return holder .. ':' .. whole((first + place) % 4294967296)
end

if verb == 'release' then
  local known = 0
  for place = 0, requests - 1 do
    known = known + redis.call('ZREM', key, slot(place))
  end
  return known
end

local function hold(count)
  local added = 0
  for place = 0, count - 1 do
    added = added + redis.call('ZADD', key, whole(now + lease), slot(place))
  end
  -- Rounded up, and a second more: a key may be forgotten late, never early.
  local expiry = math.max(math.ceil(lease / 1000) + 1000, redis.call('PTTL', key))
  redis.call('PEXPIRE', key, whole(expiry))
  return count - added
end

if verb == 'renew' then
  return hold(requests)
end
assert(verb == 'acquire', 'concurrency: acquire, release or renew')

local live = '(' .. whole(now)
local taken = redis.call('ZCOUNT', key, live, '+inf')
local available = math.max(limit - taken, 0)
local fitting = math.min(requests, math.floor(available / cost))
local granted = fitting * cost
if granted > 0 then
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  hold(granted)
end

local retry_after = 0
if fitting < requests then
  local place = taken + granted + cost - limit
  local last = redis.call('ZRANGEBYSCORE', key, live, '+inf', 'WITHSCORES', 'LIMIT', place - 1, 1)
  retry_after = last[2] and last[2] - now or 0
end
local youngest = redis.call('ZREVRANGEBYSCORE', key, '+inf', live, 'WITHSCORES', 'LIMIT', 0, 1)
return { granted, available - granted, retry_after, youngest[2] and youngest[2] - now or 0, now }
