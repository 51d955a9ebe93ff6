-- Is this the Redis that the caller knows, and does it accept writes? One without memory or disk, or one that became a
-- replica, still answers reads.
--   KEYS[3] key that is written
redis.call('SET', KEYS[3], '1', 'PX', 60000)
return {'pong', 0}
