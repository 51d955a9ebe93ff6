-- Restores what the log contains about an attempt.
--   KEYS[3] alert  [4] SID (unused if it is '')  [5] attempts without a final status  [6] attempts without a
--   price
--   ARGV[3] "<step>.<attempt>"  [4] result, '' if only its start is known  [5] its proof  [6] name of the
--   attempt  [7] end of the lease, us of UTC; '0' if it contains no start  [8] start, us of UTC  [9] life, ms
--   [10] SID or ''  [11] proof of a list  [12] its end (set_end)  [13] '1' if its price is known
--   [14] delay of the first lookup of an unreconciled attempt, us  [15] client or ''  [16] key of the codes of its
--   recipient, '' without a code  [17] its code (AckCodeText)  [18] expiry of that, ms of UTC  [19] alert id
--   [20] reach (set_reach)  [21] step  [22] person of the step, '' without a plan or if it is not known  [23] persons who
--   must acknowledge  [24] goal (v1.Reach)
--   [25] when the failure was reported that decided what follows, us of UTC; '' if it contains none
local alert, attempt, proof = KEYS[3], ARGV[3], tonumber(ARGV[5])
local known = redis.call('HMGET', alert, attempt .. '.state', attempt .. '.proof', attempt .. '.lease_end_us',
                         attempt .. '.begin_us', attempt .. '.ended', attempt .. '.priced')
local state = known[1]
local ended, priced = known[5] or ARGV[12] ~= '0', known[6] or ARGV[13] == '1'

-- Only this client may cancel and acknowledge the alert.
if ARGV[15] ~= '' then
  redis.call('HSETNX', alert, 'client_id', ARGV[15])
end

set_end(alert, attempt, ARGV[12])
set_reach(alert, ARGV[20])
set_plan(alert, ARGV[21], ARGV[22], ARGV[24], ARGV[23])
if ARGV[13] == '1' then
  redis.call('HSET', alert, attempt .. '.priced', '1')
end
if ARGV[25] ~= '' then
  local field = attempt .. '.undelivered_us'
  local noted = tonumber(redis.call('HGET', alert, field))
  if not noted or tonumber(ARGV[25]) < noted then
    redis.call('HSET', alert, field, ARGV[25])
  end
end
if ARGV[4] == '' then
  if ARGV[7] == '0' then
    -- Neither a start nor a result.
  elseif not state then
    redis.call('HSET', alert, 'claimed', '1', attempt .. '.state', 'sending', attempt .. '.lease_end_us', ARGV[7],
               attempt .. '.begin_us', ARGV[8])
    redis.call('HSETNX', alert, attempt .. '.fence', 1)
  elseif state == 'sending' then
    -- Several processes may have started it: the last lease and the first start.
    redis.call('HSET', alert, attempt .. '.lease_end_us', math.max(tonumber(known[3]), tonumber(ARGV[7])),
               attempt .. '.begin_us', math.min(tonumber(known[4]), tonumber(ARGV[8])))
  else
    redis.call('HSETNX', alert, attempt .. '.begin_us', ARGV[8])  -- the next step of a plan needs it
  end
else
  -- A certain result (0) is never replaced, others are by stronger proof.
  local stored = state == 'done' and tonumber(known[2]) or -1
  if stored < 0 or (stored > 0 and proof > stored) then
    redis.call('HSET', alert, 'claimed', '1', attempt .. '.state', 'done', attempt .. '.result', ARGV[4],
               attempt .. '.proof', ARGV[5])
  end
  if ARGV[10] ~= '' then
    if ARGV[5] == ARGV[11] then
      redis.call('SET', KEYS[4], ARGV[6] .. ' list', 'PX', ARGV[9], 'NX')
    else
      redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[9])
    end
    add_unreconciled(KEYS[5], KEYS[6], ARGV[6], ARGV[14], ended, priced)
  end
end
if ended and priced then
  redis.call('ZREM', KEYS[5], ARGV[6])
  redis.call('ZREM', KEYS[6], ARGV[6])
end
redis.call('PEXPIRE', alert, ARGV[9], 'NX')
-- A stored code has the expire time of its alert; that of a restored one is only an upper bound.
if ARGV[16] ~= '' and redis.call('HEXISTS', ARGV[16], ARGV[19]) == 0 then
  add_ack_code(ARGV[16], ARGV[19], ARGV[17], ARGV[18])
end
return {'restored', 0}
