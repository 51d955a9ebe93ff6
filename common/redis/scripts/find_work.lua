-- The encrypted work record of the newest attempt of a step.
--   KEYS[3] alert   ARGV[3] step
return {'work', 0, redis.call('HGET', KEYS[3], ARGV[3] .. '.work') or ''}
