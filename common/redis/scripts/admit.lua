-- Admits an alert with an idempotency key.
--   KEYS[3] idempotency key  [4] alert  [5] marker of restored acceptances
--   ARGV[3] alert id  [4] client  [5] request digest  [6] nonce  [7] create time, us of UTC  [8] expiry, ms of
--   UTC  [9] prefix of an alert's key  [10] '1' if an unknown key must not be admitted
--   [11] value of the marker in this epoch and this process of Redis  [12] '1' for an emergency
if redis.call('GET', KEYS[5]) ~= ARGV[11] then
  return {'restoring', 0}
end
local mapped = redis.call('GET', KEYS[3])
if mapped then
  local alert = ARGV[9] .. mapped
  local known = redis.call('HMGET', alert, 'request_digest', 'state', 'create_time_us', 'position')
  if known[1] and known[1] ~= ARGV[5] then
    return {'conflict', 0, mapped}
  end
  if known[1] and known[2] == 'accepted' then
    return {'replay', 0, mapped, known[3], known[4]}
  end
  if known[1] and ARGV[10] == '1' then
    return {'republish', 0, mapped, known[3]}
  end
  if known[1] then
    -- `republish`: the outcome of the former request is unknown, so a failure of this one must not delete the
    -- alert.
    redis.call('HSET', alert, 'nonce', ARGV[6], 'republish', '1')
    expire_after(alert, ARGV[8])
    expire_after(KEYS[3], ARGV[8])
    return {'republish', count_write(), mapped, known[3]}
  end
end
if ARGV[10] == '1' then
  return {'unknown_key', 0}
end
redis.call('HSET', KEYS[4], 'client_id', ARGV[4], 'request_digest', ARGV[5], 'state', 'admitting', 'nonce',
           ARGV[6], 'create_time_us', ARGV[7], 'epoch', epoch_mark())
if ARGV[12] == '1' then
  redis.call('HSET', KEYS[4], 'emergency', '1')
end
expire_after(KEYS[4], ARGV[8])
redis.call('SET', KEYS[3], ARGV[3], 'PXAT', ARGV[8])
return {'new', count_write()}
