-- The door for an alert with an idempotency key.
--   KEYS[3] idempotency key  [4] alert   ARGV[3] alert id  [4] client  [5] request digest  [6] nonce
--   [7] accepted, us  [8] life, ms of UTC  [9] prefix of an alert's key  [10] '1' when it is only asked
local mapped = redis.call('GET', KEYS[3])
if mapped then
  local first = ARGV[9] .. mapped
  local known = redis.call('HMGET', first, 'digest', 'state', 'accepted_us', 'position')
  if known[1] and known[1] ~= ARGV[5] then
    return {'conflict', 0, mapped}
  end
  if known[1] and known[2] == 'accepted' then
    return {'replay', 0, mapped, known[3], known[4]}
  end
  if known[1] and ARGV[10] == '1' then
    return {'again', 0, mapped, known[3]}
  end
  if known[1] then
    -- `again`: how the call before ended is unknown, so no failure of this one may erase the alert.
    redis.call('HSET', first, 'nonce', ARGV[6], 'again', '1')
    live_until(first, ARGV[8])
    live_until(KEYS[3], ARGV[8])
    return {'again', promise(), mapped, known[3]}
  end
end
if ARGV[10] == '1' then
  return {'unknown', 0}
end
redis.call('HSET', KEYS[4], 'client', ARGV[4], 'digest', ARGV[5], 'state', 'admitting', 'nonce', ARGV[6],
           'accepted_us', ARGV[7])
live_until(KEYS[4], ARGV[8])
redis.call('SET', KEYS[3], ARGV[3], 'PXAT', ARGV[8])
return {'new', promise()}
