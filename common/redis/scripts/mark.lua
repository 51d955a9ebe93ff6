-- Marks an alert as cancelled or acknowledged: attempts that have not started are not made.
--   KEYS[3] alert  [4] marker of restored acceptances  [5] marker of restored claims
--   ARGV[3] client, or '' if the caller has proof of its own  [4] 'cancelled' or 'acknowledged'  [5] when and by whom
--   [6] value of the markers in this epoch and this process of Redis
--   [7] if the id proves that the alert is the client's: expiry of a new hash, ms of UTC; else ''
--   [8] '1': a cancelled alert is not marked
-- Returns when and by whom the mark was set first or nil, whether this call set it, whether a POST may be in
-- progress, whether an attempt was delivered, whether the alert was acknowledged no later than cancelled,
-- whether the alert may be an emergency, its create time in us of UTC or '', its client, and "<step>.<attempt>" and
-- result of each attempt with a result.
local alert = KEYS[3]
local owner = redis.call('HMGET', alert, 'client_id', 'nonce', 'emergency', 'epoch', 'create_time_us')
local issued = not owner[1] and ARGV[7] ~= ''
if not owner[1] and not issued and redis.call('GET', KEYS[4]) ~= ARGV[6] then
  return {'restoring', 0}
elseif not issued and owner[1] ~= ARGV[3] and (not owner[1] or ARGV[3] ~= '') then
  return {'unknown_alert', 0}
end
-- An alert that was not admitted here (it has no nonce), or was admitted before Redis lost data, may have attempts
-- that are not restored yet. An emergency has attempts meanwhile.
local emergency = owner[3] or not owner[2]
local needs_claims = not owner[2] or ARGV[4] == 'cancelled' and (emergency or owner[4] ~= epoch_mark())
if needs_claims and redis.call('GET', KEYS[5]) ~= ARGV[6] then
  return {'restoring', 0}
end
if issued then
  redis.call('HSET', alert, 'client_id', ARGV[3])
  expire_after(alert, ARGV[7])
end
local newly_marked = 0
if ARGV[8] ~= '1' or redis.call('HEXISTS', alert, 'cancelled') == 0 then
  newly_marked = redis.call('HSETNX', alert, ARGV[4], ARGV[5])
end
local sending, delivered, acknowledged, results = '0', '0', '0', {}
local known = redis.call('HGETALL', alert)
for i = 1, #known, 2 do
  local attempt, field = known[i]:match('^(%d+%.%d+)%.(%a+)$')
  if field == 'state' and known[i + 1] == 'sending' then
    sending = '1'
  elseif field == 'delivered' then
    delivered = '1'
  elseif field == 'result' then
    results[#results + 1] = attempt
    results[#results + 1] = known[i + 1]
  end
end
local marks = redis.call('HMGET', alert, ARGV[4], 'cancelled', 'acknowledged')
local function time_of(mark)  -- of "<time> <method> <actor>"
  return tonumber(string.match(mark, '^%d+') or 0)
end
if marks[2] and marks[3] and time_of(marks[3]) <= time_of(marks[2]) then
  acknowledged = '1'
end
return {'marked', count_write(), marks[1], newly_marked, sending, delivered, acknowledged,
        emergency and '1' or '0', owner[5] or '', owner[1] or ARGV[3], unpack(results)}
