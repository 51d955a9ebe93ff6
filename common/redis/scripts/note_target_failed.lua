-- Notes that a target of a plan has failed: the next step may start.
--   KEYS[3] alert   ARGV[3] step  [4] life of a new hash, ms
redis.call('HSET', KEYS[3], ARGV[3] .. '.failed', '1')
redis.call('PEXPIRE', KEYS[3], ARGV[4], 'NX')
return {'noted', count_write()}
