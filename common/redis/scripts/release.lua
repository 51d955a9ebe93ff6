-- Gives a try back whose POST certainly did not begin.
--   KEYS[3] alert   ARGV[3] "<step>.<try>"  [4] fence
-- The fence stays and goes on rising: a holder of before can never pass for the next one.
local alert, try = KEYS[3], ARGV[3]
local known = redis.call('HMGET', alert, try .. '.state', try .. '.fence')
if known[1] ~= 'sending' or known[2] ~= ARGV[4] then
  return {'stale', 0}
end
redis.call('HDEL', alert, try .. '.state', try .. '.owner', try .. '.lease_us', try .. '.began_us')
return {'released', promise()}
