-- Acquires or extends the lease of the process that restores claims.
--   KEYS[3] lease   ARGV[3] token of the process  [4] life, ms
-- 'held' or, if another process has it, 'held_by_other'.
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[3] then
  return {'held_by_other', 0}
end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
return {'held', 0}
