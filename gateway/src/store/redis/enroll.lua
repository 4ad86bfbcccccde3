-- Keeps what is known of one API key; what was known before is gone.
--
-- KEYS[1]  the key's record
-- ARGV     id, plan or '', seconds since 1970 at which it ends or ''
-- Result   1
assert(#KEYS == 1 and #ARGV == 3, 'enroll: one key, three arguments')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'id', ARGV[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'plan', ARGV[2])
end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'expires', ARGV[3])
  redis.call('EXPIREAT', KEYS[1], ARGV[3])
end
return 1
