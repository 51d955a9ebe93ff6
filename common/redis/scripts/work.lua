-- The sealed work record of the step's newest try.
--   KEYS[3] alert   ARGV[3] step
return {'work', 0, redis.call('HGET', KEYS[3], ARGV[3] .. '.work') or ''}
