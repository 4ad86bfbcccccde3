-- Counts requests in a window and, weighed, in the one before: one decision on one key. The same as
-- `policy::window::sliding::SlidingWindow`.
--
-- KEYS[1]  the counts: a string, `START CURRENT PREVIOUS`, the microsecond at which the window of the first began; no key means zero
-- ARGV[1]  'take', or 'give_back'
-- ARGV[2]  limit         tokens a window
-- ARGV[3]  window        microseconds, whole milliseconds
-- ARGV[4]  requests      asked for; or the tokens given back
-- ARGV[5]  cost          tokens each of them costs; or the store's time at which they were counted
-- ARGV[6]  now           tests only; otherwise the server's clock decides
-- returns  {granted, remaining, retry_after, full_after, now}, times in microseconds; or 1 when given back, else 0
--
-- Nothing is written unless something is granted, or what was stored cannot be. The key outlives the window after its own.
-- The part of a window is counted in milliseconds, so that limit times window stays below 2^53: `WindowSpec::new` refuses more.

assert(#KEYS == 1, 'sliding_window: one key')
assert(#ARGV == 5 or #ARGV == 6, 'sliding_window: five arguments')

local limit, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local start = now - now % window

local stored, current, previous = string.match(redis.call('GET', KEYS[1]) or '0 0 0', '^(%d+) (%d+) (%d+)$')
stored, current, previous = tonumber(stored), tonumber(current), tonumber(previous)

local function store(at)
  -- Rounded up, and a second more: a key may be forgotten late, never early.
  local expiry = math.ceil(math.max(at + 2 * window - now, 0) / 1000) + 1000
  local counts = string.format('%.0f %.0f %.0f', at, current, previous)
  redis.call('SET', KEYS[1], counts, 'PX', string.format('%.0f', expiry))
end

if ARGV[1] == 'give_back' then
  local tokens, counted_at = tonumber(ARGV[4]), tonumber(ARGV[5])
  local from = counted_at - counted_at % window
  if from + 2 * window <= now then
    return 0
  elseif from == stored and current > 0 then
    current = math.max(current - tokens, 0)
  elseif from + window == stored and previous > 0 then
    previous = math.max(previous - tokens, 0)
  else
    return 0
  end
  store(stored)
  return 1
end

-- A window of the future is from before the clock stepped back, or the windows became longer: it counts as this one.
if stored < start then
  previous = stored + window == start and current or 0
  current = 0
end
-- What was counted under a higher limit weighs no more than this one.
current, previous = math.min(current, limit), math.min(previous, limit)

local requests, cost = tonumber(ARGV[4]), tonumber(ARGV[5])
local elapsed, millis = now - start, window / 1000
local weighed = math.ceil(previous * (millis - math.floor(elapsed / 1000)) / millis)
local available = math.max(limit - (current + weighed), 0)
local fitting = math.min(requests, math.floor(available / cost))
local granted = fitting * cost
current = current + granted
if granted > 0 or (requests > 0 and stored > start) then
  store(start)
end

local retry_after = 0
if fitting < requests then
  local room, fading, wait = math.max(limit - cost, 0), current, window
  if room >= current then
    room, fading, wait = room - current, previous, 0
  end
  -- The last instant of a window's fading at which it still weighs more than there is room for, and a millisecond.
  local left = math.min(math.floor(room * millis / math.max(fading, 1)), millis)
  retry_after = math.max(wait + (millis - left) * 1000 - elapsed, 0)
end

local full_after = 0
if current > 0 then
  full_after = 2 * window - elapsed
elseif previous > 0 then
  full_after = window - elapsed
end
return { granted, available - granted, retry_after, full_after, now }
