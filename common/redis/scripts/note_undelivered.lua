-- Notes that an attempt failed after its acceptance, or that it was so reported although a person had answered.
--   KEYS[3] alert   ARGV[3] "<step>.<attempt>"  [4] time of the report, us of UTC, or '0' if a person had answered
--   [5] life of a new hash, ms
-- Returns 'noted' with what was noted first.
local alert, field = KEYS[3], ARGV[3] .. '.undelivered_us'
redis.call('HSETNX', alert, field, ARGV[4])
redis.call('PEXPIRE', alert, ARGV[5], 'NX')
return {'noted', count_write(), redis.call('HGET', alert, field)}
