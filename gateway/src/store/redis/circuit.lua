-- One command to one upstream's circuit. The same machine as `policy::circuit::Record::apply`.
--
-- KEYS[1]   the circuit: a packed record; no key means closed, with no failures, at epoch 0
-- ARGV[1]   command       view | report | admit | abandon | force
-- ARGV[2]   channel       where transitions, and the first failure of a streak, are published
-- ARGV[3]   upstream      its name, for what is published
-- ARGV[4]   failures      in a row that open it
-- ARGV[5]   window        microseconds in which a failure counts
-- ARGV[6]   reset         microseconds it stays open
-- ARGV[7]   probes        that must succeed to close it
-- ARGV[8]   quorum        distinct replicas that must have failed; 0: two if a third party contradicts, else one
-- ARGV[9]   ratio         failures ÷ calls that open it; empty: none
-- ARGV[10]  ratio calls   below which the share says nothing
-- ARGV[11]  slow          slow calls ÷ calls that open it; empty: none
-- ARGV[12]  slow calls    below which the share says nothing
-- ARGV[13]  now           tests only; otherwise empty: the server's clock decides
-- then, by command
--   report   epoch, replica, successes, failures, slow, probe (0: it was none)
--   admit    replica, lease in microseconds
--   abandon  probe
--   force    to (open | closed | empty: reset), by, reason
-- returns  {{state (0 closed, 1 half-open, 2 open), epoch, retry_after, now, failures, stale (0|1), moved (0|1), probe (0: none)},
--           {forced to (open | closed | empty: not forced), by, reason, at},
--           {last transition's from, to, cause (empty: none yet), by, at}}; times in microseconds
--
-- Nothing is written unless something changed, except that a view renews the expiry once half of it is over. The key outlives
-- all it says: what expires would have read as closed. Numbers stay below 2^53; cmsgpack keeps them whole.

assert(#KEYS == 1, 'circuit: one key')
assert(#ARGV >= 13, 'circuit: thirteen arguments and the command\'s own')

local command, channel, upstream = ARGV[1], ARGV[2], ARGV[3]
local spec = {
  failures = math.max(tonumber(ARGV[4]), 1),
  window = tonumber(ARGV[5]),
  reset = tonumber(ARGV[6]),
  probes = math.max(tonumber(ARGV[7]), 1),
  quorum = tonumber(ARGV[8]),
  ratio = tonumber(ARGV[9]),
  ratio_calls = math.max(tonumber(ARGV[10]), 1),
  slow = tonumber(ARGV[11]),
  slow_calls = math.max(tonumber(ARGV[12]), 1),
}
local now = tonumber(ARGV[13])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local CLOSED, HALF_OPEN, OPEN = 0, 1, 2
local SLOTS = 10
local WITNESSES = 2
local HOLD_KEPT = 30 * 86400 * 1000000
local KEPT_LONGER = 60 * 1000000
local most = spec.quorum == 0 and 2 or spec.quorum
local slot_width = math.max(math.ceil(spec.window / SLOTS), 1)
local current_slot = math.floor(now / slot_width)

local function whole(number)
  return string.format('%.0f', number)
end

-- === What is kept ===

local stored = redis.call('GET', KEYS[1])
local record = stored and cmsgpack.unpack(stored) or {
  epoch = 0,
  phase = CLOSED,
  open_until = 0,
  probes = {}, -- {id, expires, lease} each
  successes = 0,
  streak = {}, -- times
  failing = {}, -- {replica, at} each, as in the next two
  failed = {},
  answered = {},
  window = {}, -- {index, calls, failures, slow} each
  last_probe = 0,
}
local was_failing = #record.streak > 0
local dirty = false
local moved, stale, granted = false, false, 0

-- Keeps the entries for which `is_kept` holds, in their order.
local function keep(list, is_kept)
  local kept = {}
  for _, entry in ipairs(list) do
    if is_kept(entry) then
      kept[#kept + 1] = entry
    end
  end
  dirty = dirty or #kept < #list
  return kept
end

local function drop_surplus(list, bound)
  while #list > bound do
    table.remove(list, 1)
  end
end

local function note(name, replica, bound)
  record[name] = keep(record[name], function(seen) return seen[1] ~= replica end)
  table.insert(record[name], { replica, now })
  drop_surplus(record[name], bound)
  dirty = true
end

-- === Settling: what time has made void. Nothing may be further ahead than it could have been set now. ===

local function settle_sightings(list)
  for _, seen in ipairs(list) do
    if seen[2] > now then
      seen[2] = now
      dirty = true
    end
  end
  return keep(list, function(seen) return now - seen[2] <= spec.window end)
end

local function settle()
  for place, at in ipairs(record.streak) do
    if at > now then
      record.streak[place] = now
      dirty = true
    end
  end
  record.streak = keep(record.streak, function(at) return now - at <= spec.window end)
  record.failing = settle_sightings(record.failing)
  record.failed = settle_sightings(record.failed)
  record.answered = settle_sightings(record.answered)
  record.window = keep(record.window, function(slot)
    return slot[1] <= current_slot and slot[1] + SLOTS > current_slot
  end)
  if record.phase == OPEN and record.open_until > now + spec.reset then
    record.open_until = now + spec.reset
    dirty = true
  end
  for _, probe in ipairs(record.probes) do
    if probe[2] > now + probe[3] then
      probe[2] = now + probe[3]
      dirty = true
    end
  end
  record.probes = keep(record.probes, function(probe) return probe[2] > now end)
end

-- === Transitions ===

local function state()
  if record.forced then
    return record.forced.to == 'open' and OPEN or CLOSED
  end
  return record.phase
end

local function enter(phase, from, cause, by)
  record.epoch = math.max(record.epoch + 1, now)
  record.phase = phase
  record.open_until = phase == OPEN and now + spec.reset or 0
  record.probes = {}
  record.successes = 0
  record.streak = {}
  record.failing = {}
  record.window = {}
  record.failed = {}
  record.last = { at = now, from = from, to = state(), cause = cause, by = by }
  dirty, moved = true, true
end

-- === Outcomes ===

local function any_answered_beside(accuser)
  for _, seen in ipairs(record.answered) do
    if seen[1] ~= accuser then
      return true
    end
  end
  return false
end

local function is_quorum(accusers)
  if #accusers == 0 then
    return false
  elseif spec.quorum > 0 then
    return #accusers >= spec.quorum
  end
  return #accusers > 1 or not any_answered_beside(accusers[1][1])
end

local function trigger()
  if #record.streak >= spec.failures and is_quorum(record.failing) then
    return 'failures'
  elseif not is_quorum(record.failed) then
    return nil
  end
  local calls, failures, slow = 0, 0, 0
  for _, slot in ipairs(record.window) do
    calls, failures, slow = calls + slot[2], failures + slot[3], slow + slot[4]
  end
  if spec.ratio and calls >= spec.ratio_calls and failures > 0 and failures >= spec.ratio * calls then
    return 'ratio'
  elseif spec.slow and calls >= spec.slow_calls and slow > 0 and slow >= spec.slow * calls then
    return 'slow'
  end
end

local function count_in_window(calls, failures, slow)
  local slot = record.window[#record.window]
  if not slot or slot[1] ~= current_slot then
    slot = { current_slot, 0, 0, 0 }
    table.insert(record.window, slot)
  end
  slot[2], slot[3], slot[4] = slot[2] + calls, slot[3] + failures, slot[4] + slow
  dirty = true
end

local function count(replica, successes, failures, slow)
  if successes > 0 then
    record.streak = {}
    record.failing = {}
    note('answered', replica, WITNESSES)
  end
  if failures > 0 then
    for _ = 1, math.min(failures, spec.failures) do
      table.insert(record.streak, now)
    end
    drop_surplus(record.streak, spec.failures)
    note('failing', replica, most)
  end
  if spec.ratio or spec.slow then
    count_in_window(successes + failures, failures, slow)
    if failures > 0 or slow > 0 then
      note('failed', replica, most)
    end
  end
  local cause = trigger()
  if cause then
    enter(OPEN, CLOSED, cause, replica)
  end
end

-- Ends a probe's lease; false if it has none.
local function take_back(id)
  local before = #record.probes
  record.probes = keep(record.probes, function(probe) return probe[1] ~= id end)
  return #record.probes < before
end

local function judge(replica, successes, failures, slow, probe)
  if not take_back(probe) then
    stale = true
  elseif failures > 0 or (spec.slow and slow > 0) then
    enter(OPEN, HALF_OPEN, 'probe_failed', replica)
  elseif successes > 0 then
    note('answered', replica, WITNESSES)
    record.successes = record.successes + 1
    if record.successes >= spec.probes then
      enter(CLOSED, HALF_OPEN, 'probes_succeeded', replica)
    end
  end
end

-- === Commands ===

local function has_room()
  return #record.probes + record.successes < spec.probes
end

local commands = {}

function commands.view() end

function commands.report(epoch, replica, successes, failures, slow, probe)
  successes, failures, slow = tonumber(successes), tonumber(failures), tonumber(slow)
  probe = tonumber(probe)
  if record.forced or tonumber(epoch) ~= record.epoch then
    stale = true
  elseif record.phase == CLOSED and probe == 0 then
    count(replica, successes, failures, slow)
  elseif record.phase == HALF_OPEN and probe > 0 then
    judge(replica, successes, failures, slow, probe)
  else
    stale = true
  end
end

function commands.admit(replica, lease)
  if record.forced then
    return
  end
  if record.phase == OPEN and record.open_until <= now then
    enter(HALF_OPEN, OPEN, 'reset_elapsed', replica)
  end
  if record.phase == HALF_OPEN and has_room() then
    granted = math.max(record.last_probe + 1, now)
    record.last_probe = granted
    table.insert(record.probes, { granted, now + tonumber(lease), tonumber(lease) })
    dirty = true
  end
end

function commands.abandon(probe)
  stale = not take_back(tonumber(probe))
end

function commands.force(to, by, reason)
  local from = state()
  record.forced = to ~= '' and { to = to, by = by, reason = reason, at = now } or nil
  enter(CLOSED, from, to ~= '' and 'forced' or 'reset', by)
end

settle()
commands[command](unpack(ARGV, 14))

-- === Keeping and telling ===

local function kept_for()
  local longest = 2 * math.max(spec.window, spec.reset)
  local lease = 0
  for _, probe in ipairs(record.probes) do
    lease = math.max(lease, probe[3])
  end
  longest = longest + lease
  if record.forced then
    longest = math.max(longest, HOLD_KEPT)
  end
  return math.ceil((longest + KEPT_LONGER) / 1000)
end

if dirty then
  redis.call('SET', KEYS[1], cmsgpack.pack(record), 'PX', whole(kept_for()))
elseif stored and redis.call('PTTL', KEYS[1]) < kept_for() / 2 then
  redis.call('PEXPIRE', KEYS[1], whole(kept_for()))
end

if moved or (#record.streak > 0 and not was_failing) then
  local name = cjson.encode(upstream)
  redis.call('PUBLISH', channel, '{"v":1,"kind":"circuit","upstream":' .. name .. ',"epoch":' .. whole(record.epoch) .. '}')
end

local function retry_after()
  if record.forced then
    return record.forced.to == 'open' and spec.reset or 0
  elseif record.phase == OPEN then
    return math.max(record.open_until - now, 0)
  elseif record.phase == HALF_OPEN and not has_room() then
    local soonest
    for _, probe in ipairs(record.probes) do
      soonest = math.min(soonest or probe[2], probe[2])
    end
    return (soonest or now) - now
  end
  return 0
end

local forced = record.forced or { to = '', by = '', reason = '', at = 0 }
local last = record.last or { from = CLOSED, to = CLOSED, cause = '', by = '', at = 0 }
return {
  { state(), record.epoch, retry_after(), now, #record.streak, stale and 1 or 0, moved and 1 or 0, granted },
  { forced.to, forced.by, forced.reason, forced.at },
  { last.from, last.to, last.cause, last.by, last.at },
}
