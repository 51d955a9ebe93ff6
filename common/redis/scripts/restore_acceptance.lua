-- Restores what admission stored about an alert, from the record that accepted it.
--   KEYS[3] alert  [4] idempotency key
--   ARGV[3] alert id  [4] client  [5] position  [6] request digest  [7] create time, us of UTC  [8] expiry, ms
--   of UTC  [9] prefix of an alert's key
local alert, key = KEYS[3], KEYS[4]
redis.call('HSETNX', alert, 'client_id', ARGV[4])
redis.call('HSETNX', alert, 'position', ARGV[5])
redis.call('HSET', alert, 'state', 'accepted')
redis.call('HSETNX', alert, 'request_digest', ARGV[6])
redis.call('HSETNX', alert, 'create_time_us', ARGV[7])
expire_after(alert, ARGV[8])

-- Partitions are read in any order: the first alert of the key gets it, unless another one was claimed or was
-- admitted since (nonce).
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[3] then
  local other = redis.call('HMGET', ARGV[9] .. holder, 'claimed', 'nonce', 'create_time_us')
  if other[1] or other[2] or tonumber(other[3] or 0) <= tonumber(ARGV[7]) then
    return {'restored', 0}
  end
end
redis.call('SET', key, ARGV[3], 'PXAT', ARGV[8])
return {'restored', 0}
