-- Notes that an attempt failed after its acceptance.
--   KEYS[3] alert   ARGV[3] "<step>.<attempt>"  [4] time of the report, us of UTC  [5] life of a new hash, ms
-- Returns 'noted' with the time of the report that was noted first.
local alert, field = KEYS[3], ARGV[3] .. '.undelivered_us'
redis.call('HSETNX', alert, field, ARGV[4])
redis.call('PEXPIRE', alert, ARGV[5], 'NX')
return {'noted', count_write(), redis.call('HGET', alert, field)}
