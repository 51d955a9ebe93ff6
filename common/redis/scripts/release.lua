-- Releases the claim on an attempt whose POST certainly did not start.
--   KEYS[3] alert   ARGV[3] "<step>.<attempt>"  [4] fence
-- The fence is kept and increases with the next claim: a former holder is never taken for the next one.
local alert, attempt = KEYS[3], ARGV[3]
local known = redis.call('HMGET', alert, attempt .. '.state', attempt .. '.fence')
if known[1] ~= 'sending' or known[2] ~= ARGV[4] then
  return {'not_held', 0}
end
redis.call('HDEL', alert, attempt .. '.state', attempt .. '.owner', attempt .. '.lease_end_us',
           attempt .. '.begin_us')
return {'released', count_write()}
