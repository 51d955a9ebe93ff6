-- Forgets an alert whose publish certainly failed.
--   KEYS[3] alert  [4] idempotency key, when there is one   ARGV[3] alert id  [4] nonce
-- Not when another call admitted it since (nonce), when an earlier call may have published it (again), or
-- when a worker has seen its record (taken): the alert may run, and its claims must be found.
local known = redis.call('HMGET', KEYS[3], 'state', 'nonce', 'again', 'taken')
if known[1] ~= 'admitting' or known[2] ~= ARGV[4] or known[3] or known[4] then
  return {'stale', 0}
end
redis.call('DEL', KEYS[3])
if KEYS[4] and redis.call('GET', KEYS[4]) == ARGV[3] then
  redis.call('DEL', KEYS[4])
end
return {'forgotten', 0}
