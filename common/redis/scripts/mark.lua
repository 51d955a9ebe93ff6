-- Marks an alert as cancelled or acknowledged: attempts that have not started are not made. Or marks it as acknowledged
-- or declined by a person of its plan: those to this person are not made, and none once the goal is reached.
--   KEYS[3] alert  [4] marker of restored acceptances  [5] marker of restored claims
--   ARGV[3] client, or '' if the caller has proof of its own  [4] 'cancelled', 'acknowledged' or 'declined'  [5] when and
--   by whom
--   [6] value of the markers in this epoch and this process of Redis
--   [7] if the id proves that the alert is the client's: expiry of a new hash, ms of UTC; else ''
--   [8] '1': a cancelled alert is not marked  [9] person of the plan who acknowledges or declines, or ''  [10] step of the
--   message or call, '0' without  [11] who acknowledges by the API, or ''  [12] '1': an alert that is acknowledged, or was
--   by this person, is not marked
-- Returns when and by whom the mark was set first or nil, whether this call set it, whether a POST may be in
-- progress, whether an attempt was delivered or the plan has ended, when and by whom the alert was acknowledged if that
-- was no later than it was cancelled or '', whether the alert may be an emergency, its create time in us of UTC or '', its
-- client, the person of the plan or '', whether it is known to have a plan, whether it is not marked because it is
-- acknowledged, if a person declined the work of the last target of this person that was claimed or '', the person of the
-- earlier acknowledgement or '', and "<step>.<attempt>" and result of each attempt with a result. Of a person: when and by
-- whom it was marked for this person, and whether this call did that.
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
local complete = not needs_claims or redis.call('GET', KEYS[5]) == ARGV[6]
-- Only the event of a key press is recorded in any case.
local by_key = ARGV[4] ~= 'cancelled' and ARGV[8] ~= '1'
if not complete and not by_key then
  return {'restoring', 0}
end
if issued then
  redis.call('HSET', alert, 'client_id', ARGV[3])
  expire_after(alert, ARGV[7])
end
local person = ARGV[4] == 'cancelled' and '' or person_of_mark(alert, ARGV[9], ARGV[10], ARGV[11])
local mark = person ~= '' and field_of_person(ARGV[4], person) or ARGV[4]
local newly_marked = 0
local is_acknowledged = ARGV[12] == '1' and redis.call('HEXISTS', alert, mark) == 0 and
                        (redis.call('HEXISTS', alert, 'acknowledged') == 1 or
                         redis.call('HEXISTS', alert, field_of_person('acknowledged', person)) == 1)
local by_actor = mark == 'acknowledged' and ARGV[11] ~= ''
if is_acknowledged then
  -- It keeps its marks.
elseif ARGV[8] ~= '1' or redis.call('HEXISTS', alert, 'cancelled') == 0 then
  if person ~= '' then
    newly_marked = mark_person(alert, ARGV[4], person, ARGV[10], ARGV[5])
  elseif ARGV[4] == 'acknowledged' then
    newly_marked = mark_acknowledged(alert, ARGV[11], ARGV[5])
  else
    newly_marked = redis.call('HSETNX', alert, ARGV[4], ARGV[5])
  end
end
-- Until the first claim the alert may have a plan, and each actor may be a person of it.
if by_actor and redis.call('HEXISTS', alert, 'claimed') == 0 and not is_beyond_limit(alert, ARGV[11], ARGV[11]) then
  person, mark = ARGV[11], field_of_person('acknowledged', ARGV[11])
end
-- The mark stops further attempts. It is not confirmed: an earlier one may not be restored yet.
if not complete then
  return {'restoring', 0}
end
local sending, delivered, results = '0', '0', {}
-- A plan ends when its goal is reached or was missed, not when one of its attempts is delivered.
local goal = redis.call('HGET', alert, 'goal')
if goal and (reached(alert, goal) or redis.call('HEXISTS', alert, 'missed') == 1) then
  delivered = '1'
end
local known = redis.call('HGETALL', alert)
local last, work = 0, ''
for i = 1, #known, 2 do
  local step = ARGV[4] == 'declined' and known[i]:match('^(%d+)%.work$')
  if step and tonumber(step) > last and person ~= '' and redis.call('HGET', alert, step .. '.person') == person then
    last, work = tonumber(step), known[i + 1]
  end
  local attempt, field = known[i]:match('^(%d+%.%d+)%.(%a+)$')
  if field == 'state' and known[i + 1] == 'sending' then
    sending = '1'
  elseif field == 'delivered' and not goal then
    delivered = '1'
  elseif field == 'result' then
    results[#results + 1] = attempt
    results[#results + 1] = known[i + 1]
  end
end
-- The mark of an alert whose plan is not known may be that of a person.
if mark == 'acknowledged' then
  person = redis.call('HGET', alert, 'acknowledged_person') or ''
end
local marks = redis.call('HMGET', alert, mark, 'cancelled', 'acknowledged', 'acknowledged_person')
local function time_of(mark)  -- of "<time> <method> <actor>"
  return tonumber(string.match(mark, '^%d+') or 0)
end
local acknowledged, acknowledged_person = '', ''
if marks[2] and marks[3] and time_of(marks[3]) <= time_of(marks[2]) then
  acknowledged, acknowledged_person = marks[3], marks[4] or ''
end
local reply = {'marked', count_write(), marks[1], newly_marked, sending, delivered, acknowledged,
               emergency and '1' or '0', owner[5] or '', owner[1] or ARGV[3], person, goal and '1' or '0',
               is_acknowledged and '1' or '0', work, acknowledged_person}
for i = 1, #results do  -- unpack() fails with 8000
  reply[15 + i] = results[i]
end
return reply
