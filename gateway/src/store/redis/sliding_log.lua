-- Notes each token with its instant: one decision on one key. The same as `policy::window::log::SlidingLog`.
--
-- KEYS[1]  the log: a sorted set with a member for each token, `INSTANT:NUMBER`, scored with the microsecond of its grant
-- ARGV[1]  'take', or 'give_back'
-- ARGV[2]  limit         tokens in any interval of a window's length, at most 10,000
-- ARGV[3]  window        microseconds, whole milliseconds
-- ARGV[4]  requests      asked for; or the tokens given back
-- ARGV[5]  cost          tokens each of them costs; or the store's time at which they were noted
-- ARGV[6]  now           tests only; otherwise the server's clock decides
-- returns  {granted, remaining, retry_after, full_after, now}, times in microseconds; or 1 when given back, else 0
--
-- Nothing is written unless something is granted, or what was stored cannot be. The key outlives its youngest member's window.
-- The members of one instant are numbered from 0 without a gap: they are added, and taken out, at the upper end.

assert(#KEYS == 1, 'sliding_log: one key')
assert(#ARGV == 5 or #ARGV == 6, 'sliding_log: five arguments')

local key = KEYS[1]
local limit, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function whole(number)
  return string.format('%.0f', number)
end
-- What is out of the window is no longer counted, whether or not it has been removed.
local live = '(' .. whole(now - window)

if ARGV[1] == 'give_back' then
  local tokens, noted_at = tonumber(ARGV[4]), tonumber(ARGV[5])
  if tokens < 1 or noted_at + window <= now then
    return 0
  end
  local at = whole(noted_at)
  local members = redis.call('ZREVRANGEBYSCORE', key, at, at, 'LIMIT', 0, whole(math.min(tokens, limit)))
  for _, member in ipairs(members) do
    redis.call('ZREM', key, member)
  end
  return #members > 0 and 1 or 0
end

local function note(tokens)
  local first = redis.call('ZCOUNT', key, whole(now), whole(now))
  for number = first, first + tokens - 1 do
    redis.call('ZADD', key, whole(now), string.format('%.0f:%06.0f', now, number))
  end
  -- Rounded up, and a second more: a key may be forgotten late, never early.
  redis.call('PEXPIRE', key, whole(math.ceil(window / 1000) + 1000))
end

local requests, cost = tonumber(ARGV[4]), tonumber(ARGV[5])
if requests > 0 then
  -- What a clock that stepped back left in the future happened now, at the latest.
  local future = redis.call('ZRANGEBYSCORE', key, '(' .. whole(now), '+inf')
  if #future > 0 then
    for _, member in ipairs(future) do
      redis.call('ZREM', key, member)
    end
    note(#future)
  end
end

local used = redis.call('ZCOUNT', key, live, '+inf')
local available = math.max(limit - used, 0)
local fitting = math.min(requests, math.floor(available / cost))
local granted = fitting * cost
if granted > 0 then
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now - window))
  note(granted)
end

local retry_after = 0
if fitting < requests then
  local place = used + granted + cost - limit
  local last = redis.call('ZRANGEBYSCORE', key, live, '+inf', 'WITHSCORES', 'LIMIT', place - 1, 1)
  retry_after = last[2] and last[2] + window - now or window
end
local youngest = redis.call('ZREVRANGEBYSCORE', key, '+inf', live, 'WITHSCORES', 'LIMIT', 0, 1)
local full_after = youngest[2] and math.min(youngest[2], now) + window - now or 0
return { granted, available - granted, retry_after, full_after, now }
