-- Counts requests in windows that follow each other: one decision on one key. The same as `policy::window::fixed::FixedWindow`.
--
-- KEYS[1]  the count: a string, `START COUNT`, the microsecond at which its window began; no key means zero
-- ARGV[1]  'take', or 'give_back'
-- ARGV[2]  limit         tokens a window
-- ARGV[3]  window        microseconds, whole milliseconds
-- ARGV[4]  requests      asked for; or the tokens given back
-- ARGV[5]  cost          tokens each of them costs; or the store's time at which they were counted
-- ARGV[6]  now           tests only; otherwise the server's clock decides
-- returns  {granted, remaining, retry_after, full_after, now}, times in microseconds; or 1 when given back, else 0
--
-- Nothing is written unless something is granted, or what was stored cannot be. The key outlives its window.
-- Every number stays below 2^53: `WindowSpec::new` refuses what would not.

assert(#KEYS == 1, 'fixed_window: one key')
assert(#ARGV == 5 or #ARGV == 6, 'fixed_window: five arguments')

local limit, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local start = now - now % window
local left = start + window - now

local stored, count = string.match(redis.call('GET', KEYS[1]) or '0 0', '^(%d+) (%d+)$')
stored, count = tonumber(stored), tonumber(count)

local function store(at)
  -- Rounded up, and a second more: a key may be forgotten late, never early.
  local expiry = math.ceil(math.max(at + window - now, 0) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', at, count), 'PX', string.format('%.0f', expiry))
end

if ARGV[1] == 'give_back' then
  local tokens, counted_at = tonumber(ARGV[4]), tonumber(ARGV[5])
  if stored < start or counted_at - counted_at % window ~= stored or count == 0 then
    return 0
  end
  count = math.max(count - tokens, 0)
  store(stored)
  return 1
end

local requests, cost = tonumber(ARGV[4]), tonumber(ARGV[5])
-- A window of the future is from before the clock stepped back, or the windows became longer: it counts as this one.
if stored < start then
  count = 0
end
local available = math.max(limit - count, 0)
local fitting = math.min(requests, math.floor(available / cost))
local granted = fitting * cost
count = count + granted
if granted > 0 or (requests > 0 and stored > start) then
  store(start)
end

return { granted, available - granted, fitting < requests and left or 0, count > 0 and left or 0, now }
