-- Debits a token bucket: one decision on one key. The same arithmetic as `policy::token_bucket::Bucket::take`.
--
-- KEYS[1]  the bucket: a string, the microsecond at which it is full again; no key means full
-- ARGV[1]  need          tokens wanted now
-- ARGV[2]  spare         tokens wanted ahead, out of what is left after `need`
-- ARGV[3]  share         at most one part in `share` of what is left goes ahead
-- ARGV[4]  capacity      of the bucket, in tokens
-- ARGV[5]  tokens        refilled each
-- ARGV[6]  per           microseconds
-- ARGV[7]  now           tests only; otherwise the server's clock decides
-- returns  {granted, remaining, retry_after, full_after, now}; times in microseconds
--
-- Nothing is written unless something is granted, or what was stored cannot be. The key outlives the time to full, so what expires was full.
-- Every number stays below 2^53: `BucketSpec::new` refuses what would not.

assert(#KEYS == 1, 'take: one key')
assert(#ARGV == 6 or #ARGV == 7, 'take: six arguments')

local need, spare, share = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local capacity, tokens, per = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now = tonumber(ARGV[7])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function cost(count)
  return math.ceil(count * per / tokens)
end

local empty_until_full = cost(capacity)
local function available(full_at)
  return math.floor((now + empty_until_full - full_at) * tokens / per)
end

local stored = tonumber(redis.call('GET', KEYS[1]) or 0)
local full_at = math.min(math.max(stored, now), now + empty_until_full)

local held = available(full_at)
local needed = math.min(need, held)
local ahead = math.min(spare, math.floor((held - needed) / math.max(share, 1)))
local granted = needed + ahead
full_at = full_at + cost(granted)

-- A state later than empty is from before the clock stepped back or the capacity shrank: a denial must mend it.
if granted > 0 or (need > 0 and stored > now + empty_until_full) then
  -- Rounded up, and a second more: a key may be forgotten late, never early.
  local expiry = math.ceil((full_at - now) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', string.format('%.0f', expiry))
end

local retry_after = 0
if needed < need then
  -- In this order: the sum of both spans and the time of day could leave 2^53.
  retry_after = math.max(full_at - (now + empty_until_full) + cost(1), 0)
end

return { granted, math.max(available(full_at), 0), retry_after, full_at - now, now }
