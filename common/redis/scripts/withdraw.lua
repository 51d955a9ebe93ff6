-- Deletes an alert whose publish certainly failed.
--   KEYS[3] alert  [4] idempotency key   ARGV[3] alert id  [4] nonce
-- No effect if another request has admitted the alert since (nonce), an earlier one may have published it
-- (republish), or a worker has claimed an attempt of it (claimed): then its claims must be kept.
local known = redis.call('HMGET', KEYS[3], 'state', 'nonce', 'republish', 'claimed')
if known[1] ~= 'admitting' or known[2] ~= ARGV[4] or known[3] or known[4] then
  return {'not_withdrawn', 0}
end
redis.call('DEL', KEYS[3])
if redis.call('GET', KEYS[4]) == ARGV[3] then
  redis.call('DEL', KEYS[4])
end
return {'withdrawn', 0}
