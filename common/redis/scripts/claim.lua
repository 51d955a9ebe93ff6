-- Claims an attempt.
--   KEYS[3] alert  [4] duplicates  [5] idempotency key, if this work record accepted the alert with one
--   ARGV[3] "<step>.<attempt>"  [4] step  [5] client  [6] owner  [7] lease, us  [8] work
--   [9] result of an attempt that is not made, or ''  [10] proof of such results  [11] result if the alert is cancelled
--   [12] result if it is acknowledged  [13] expiry, ms of UTC  [14] name of the attempt  [15] key of the codes of
--   its recipient, '' without a code  [16] its code (AckCodeText)  [17] alert id
--   with KEYS[5], else '': [18] prefix of an alert's key  [19] position  [20] request digest  [21] create time, us of
--   UTC  [22] result if the key belongs to another alert
--   with a plan, else '': [23] goal (v1.Reach)  [24] persons who must acknowledge  [25] person  [26] targets of the step
--   before, separated by spaces  [27] wait after its start, us  [28] result if the goal is reached  [29] if it was missed
--   [30] if the person has acknowledged or declined
-- Returns 'done' or 'stopped' with the result; 'busy' or 'lapsed' with fence and begin of the claim that
-- exists, 'busy' also with the rest of its lease; 'early' with the time until the step starts in its place; 'granted'
-- with the new fence and its begin.
local alert, attempt = KEYS[3], ARGV[3]
local known = redis.call('HMGET', alert, attempt .. '.state', attempt .. '.result', attempt .. '.lease_end_us',
                         attempt .. '.fence', attempt .. '.begin_us', 'cancelled', 'acknowledged', 'missed')
local state, fence, begin = known[1], known[4], known[5]

-- A started attempt keeps its state whatever the alert's marks are: its POST may have been sent.
if state == 'done' then
  return {'done', 0, known[2]}
end
local now = now_us()
if state == 'sending' then
  local left = tonumber(known[3]) - now
  if left > 0 then
    return {'busy', 0, fence, begin, left}
  end
  return {'lapsed', 0, fence, begin}
end

-- The alert may have been accepted while Redis did not know the key. The first alert of the key that is
-- confirmed or claimed gets it.
local conflict = false
if KEYS[5] then
  redis.call('HSET', alert, 'state', 'accepted')
  redis.call('HSETNX', alert, 'position', ARGV[19])
  redis.call('HSETNX', alert, 'request_digest', ARGV[20])
  redis.call('HSETNX', alert, 'create_time_us', ARGV[21])
  local holder = redis.call('GET', KEYS[5])
  if holder and holder ~= ARGV[17] then
    local other = redis.call('HMGET', ARGV[18] .. holder, 'state', 'claimed')
    conflict = other[1] == 'accepted' or other[2]
  end
  if holder ~= ARGV[17] and not conflict then
    redis.call('SET', KEYS[5], ARGV[17], 'PXAT', ARGV[13])
  end
end

-- `claimed` prevents a withdrawal, which would delete the claim. The result is stored, so that every repetition
-- gets the same.
local function finish(reply, result)
  redis.call('HSET', alert, 'client_id', ARGV[5], 'claimed', '1', attempt .. '.state', 'done',
             attempt .. '.result', result, attempt .. '.proof', ARGV[10])
  set_plan(alert, ARGV[4], ARGV[25], ARGV[23], ARGV[24])
  expire_after(alert, ARGV[13])
  return {reply, count_write(), result}
end
if known[6] then
  return finish('stopped', ARGV[11])
end
local goal, person = ARGV[23], ARGV[25]
if known[7] and persons_acknowledged(alert, ARGV[24]) then
  return finish('stopped', ARGV[12])
elseif known[7] then
  redis.call('HDEL', alert, 'acknowledged', 'acknowledged_person')  -- marked while the plan was not known
end
if conflict then
  return finish('stopped', ARGV[22])
end
if known[8] then
  return finish('stopped', ARGV[29])
end
if goal ~= '' and reached(alert, goal) then
  return finish('stopped', ARGV[28])
end

-- The time until the step of this target starts, us. A target of the step before that ended without a start counts as
-- failed.
local function time_left()
  local begin, failed = nil, true
  for number in string.gmatch(ARGV[26], '%d+') do
    local first = number .. '.1'
    local target = redis.call('HMGET', alert, number .. '.failed', first .. '.state', first .. '.begin_us')
    if target[3] then
      begin = math.min(begin or math.huge, tonumber(target[3]))
    end
    failed = failed and (target[1] or target[2] == 'done' and not target[3])
  end
  if failed then
    return 0
  end
  return (begin or now) + ARGV[27] - now
end
if ARGV[26] ~= '' then
  local left = time_left()
  if left > 0 then
    return {'early', 0, 0, now, left}
  end
end
if person ~= '' and (redis.call('HEXISTS', alert, field_of_person('acknowledged', person)) == 1 or
                     redis.call('HEXISTS', alert, field_of_person('declined', person)) == 1) then
  return finish('stopped', ARGV[30])
end
if ARGV[9] ~= '' then
  return finish('done', ARGV[9])
end

fence = (tonumber(fence) or 0) + 1
redis.call('HSET', alert, 'client_id', ARGV[5], 'claimed', '1', attempt .. '.state', 'sending',
           attempt .. '.fence', fence, attempt .. '.owner', ARGV[6], attempt .. '.lease_end_us', now + ARGV[7],
           attempt .. '.begin_us', now, ARGV[4] .. '.work', ARGV[8], attempt .. '.duplicates', KEYS[4])
expire_after(alert, ARGV[13])
redis.call('SADD', KEYS[4], ARGV[14])
expire_after(KEYS[4], ARGV[13])
set_plan(alert, ARGV[4], person, goal, ARGV[24])
add_ack_code(ARGV[15], ARGV[17], ARGV[16], ARGV[13])
return {'granted', count_write(), fence, now}
