-- Stores how much is restored in this epoch. A slow process does not replace the mark of a later epoch.
--   KEYS[3] mark   ARGV[3] its value
redis.call('SET', KEYS[3], ARGV[3])
return {'marked', 0}
