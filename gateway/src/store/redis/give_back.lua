-- Returns unspent tokens to a bucket. The same arithmetic as `policy::token_bucket::Bucket::give_back`.
--
-- KEYS[1]  the bucket: a string, the microsecond at which it is full again; no key means full
-- ARGV[1]  returned      tokens given back
-- ARGV[2]  debited_at    the store's time of their debit, in microseconds
-- ARGV[3]  max_age       microseconds after which the debit may no longer be undone
-- ARGV[4]  capacity      of the bucket, in tokens
-- ARGV[5]  tokens        refilled each
-- ARGV[6]  per           microseconds
-- ARGV[7]  now           tests only; otherwise the server's clock decides
-- returns  1 when given back, 0 when too late or already full
--
-- The key is kept even when the bucket becomes full by this: the answer to a clock that steps back must not depend on it.

assert(#KEYS == 1, 'give_back: one key')
assert(#ARGV == 6 or #ARGV == 7, 'give_back: six arguments')

local returned, debited_at, max_age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local capacity, tokens, per = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now = tonumber(ARGV[7])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local stored = tonumber(redis.call('GET', KEYS[1]) or 0)
if now - debited_at > max_age or debited_at > now or stored <= now then
  return 0
end

local clamped = math.min(stored, now + math.ceil(capacity * per / tokens))
local refund = math.floor(math.min(returned, capacity) * per / tokens)
local full_at = math.max(clamped - refund, now)
-- Rounded up, and a second more: a key may be forgotten late, never early.
local expiry = math.ceil((full_at - now) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', string.format('%.0f', expiry))
return 1
