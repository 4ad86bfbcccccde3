-- One target's kept answers: its variants, whose turn it is to ask for each, and the generation a purge begins.
--
-- KEYS[1]   the target: a hash
--             g          the generation; absent: 0
--             y          the fields that tell its variants
--             v<variant> an answer        m<variant> when it was kept, until when fresh, until when of use
--             l<variant> whose turn, until when        p<variant> until when nobody need take turns
-- ARGV[1]   command      recall | keep | end | purge
-- then, by command
--   recall  variant, vary, holder (empty: look only), turn in microseconds
--   keep    variant, vary, holder, generation, answer, fresh for, keep for (microseconds), variants kept at a time
--   end     variant, holder, pass in microseconds (0: none)
--   purge   nothing more
-- returns
--   recall  {generation, found (0 nothing, 1 the answer, 2 other fields tell the variants), age in microseconds, answer or fields,
--            turn (0 nobody's, 1 the asker's, 2 another's, 3 everybody's)}
--   keep    1, or 0 when purged meanwhile
--   end, purge   the generation
--
-- A generation is the server's time at the purge, so that one never comes twice, also after the key was lost; it outlives every
-- asking that began before it.

assert(#KEYS == 1, 'cache: one key')

local key, command = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- Longer than anybody may take to ask.
local REMEMBERED = 600 * 1000

local function whole(number)
  return string.format('%.0f', number)
end

local function live_at_least(milliseconds)
  if redis.call('PTTL', key) < milliseconds then
    redis.call('PEXPIRE', key, whole(milliseconds))
  end
end

local function numbers(text)
  local found = {}
  for number in string.gmatch(text or '', '%d+') do
    found[#found + 1] = tonumber(number)
  end
  return found
end

if command == 'purge' then
  redis.call('DEL', key)
  redis.call('HSET', key, 'g', whole(now))
  redis.call('PEXPIRE', key, REMEMBERED)
  return now
end

local variant = ARGV[2]
local value, meta, lease, pass = 'v' .. variant, 'm' .. variant, 'l' .. variant, 'p' .. variant
local known = redis.call('HMGET', key, 'g', 'y', meta, lease, pass)
local generation = tonumber(known[1] or '0')

-- Whose turn, in words: a holder is wider than a number is exact.
local holder, held_until = string.match(known[4] or '', '^(%S+) (%d+)$')
local held = holder and tonumber(held_until) > now

-- Turns and passes of variants that nobody keeps must not pile up. Forgetting them costs the origin a request at most.
if redis.call('HLEN', key) > 1024 then
  redis.call('DEL', key)
  redis.call('HSET', key, 'g', whole(generation))
  redis.call('PEXPIRE', key, REMEMBERED)
  known, holder, held = {}, nil, false
end

local function give_up(asker)
  if holder == asker then
    redis.call('HDEL', key, lease)
  end
end

if command == 'recall' then
  local vary, asker = ARGV[3], ARGV[4]
  if known[2] and known[2] ~= vary then
    return {generation, 2, 0, known[2], 0}
  end
  local found, age, answer = 0, 0, ''
  local times = numbers(known[3])
  if times[3] and times[3] > now then
    answer = redis.call('HGET', key, value)
    if answer then
      found, age = 1, math.max(now - times[1], 0)
    end
  end
  if asker == '' or (found == 1 and times[2] > now) then
    return {generation, found, age, answer or '', 0}
  end
  if tonumber(known[5] or '0') > now then
    return {generation, found, age, answer or '', 3}
  end
  if held and holder ~= asker then
    return {generation, found, age, answer or '', 2}
  end
  local turn = tonumber(ARGV[5])
  redis.call('HSET', key, lease, asker .. ' ' .. whole(now + turn))
  live_at_least(math.ceil(turn / 1000) + 1000)
  return {generation, found, age, answer or '', 1}
end

if command == 'end' then
  local asker, wait = ARGV[3], tonumber(ARGV[4])
  give_up(asker)
  if wait > 0 then
    redis.call('HSET', key, pass, whole(now + wait))
    live_at_least(math.ceil(wait / 1000) + 1000)
  end
  return generation
end

assert(command == 'keep', 'cache: an unknown command')
local vary, asker = ARGV[3], ARGV[4]
if tonumber(ARGV[5]) ~= generation then
  give_up(asker)
  return 0
end
-- What other fields told apart can no longer be found; and only so many are kept.
local oldest, oldest_at, count = nil, nil, 0
for _, field in ipairs(redis.call('HKEYS', key)) do
  local kind, of = string.sub(field, 1, 1), string.sub(field, 2)
  if (kind == 'v' or kind == 'm') and known[2] and known[2] ~= vary then
    redis.call('HDEL', key, field)
  elseif kind == 'm' and of ~= variant then
    count = count + 1
    local at = numbers(redis.call('HGET', key, field))[1] or 0
    if not oldest_at or at < oldest_at then
      oldest, oldest_at = of, at
    end
  end
end
if count >= tonumber(ARGV[9]) then
  redis.call('HDEL', key, 'v' .. oldest, 'm' .. oldest, 'l' .. oldest, 'p' .. oldest)
end
local fresh_for, keep_for = tonumber(ARGV[7]), tonumber(ARGV[8])
redis.call('HSET', key, 'y', vary, value, ARGV[6],
  meta, whole(now) .. ' ' .. whole(now + fresh_for) .. ' ' .. whole(now + keep_for))
redis.call('HDEL', key, pass)
give_up(asker)
live_at_least(math.ceil(keep_for / 1000) + 1)
return 1
