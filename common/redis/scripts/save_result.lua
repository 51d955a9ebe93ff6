-- Saves the result of an attempt and returns the one that is stored then ('' for none).
--   KEYS[3] alert  [4] SID  [5] attempts without a final status  [6] attempts without a price (the last three
--   only if accepted)
--   ARGV[3] "<step>.<attempt>"  [4] fence  [5] result  [6] '1' if accepted  [7] its proof (Proof in
--   common/domain/delivery/in_doubt.h)  [8] name of the attempt  [9] life if the expiry is unknown, ms
--   [10] proof of an attempt in doubt  [11] end (set_end)  [12] delay of the
--   first lookup of an unreconciled attempt, us  [13] prefix of an alert's key  [14] reach (set_reach)
-- 'sid_conflict' with the name of the attempt that the SID belongs to.
local alert, attempt, accepted, proof = KEYS[3], ARGV[3], ARGV[6] == '1', tonumber(ARGV[7])
local known = redis.call('HMGET', alert, attempt .. '.state', attempt .. '.result', attempt .. '.proof',
                         attempt .. '.fence', attempt .. '.lease_end_us', attempt .. '.duplicates',
                         attempt .. '.ended', attempt .. '.priced')
local state, result = known[1], known[2]

-- A SID belongs to one attempt, otherwise one message would prove two. An assignment from a list may be
-- wrong, because equal messages cannot be distinguished: it gives way to the attempt that is named.
local holder = accepted and redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[8] then
  local id, listed = string.match(holder, '^([^.]+)%.(%S+) list$')
  if not listed then
    return {'sid_conflict', 0, holder}
  end
  if holder ~= ARGV[8] .. ' list' then
    redis.call('HSET', ARGV[13] .. id, listed .. '.sid_reassigned', '1')
  end
end

local save
if state == 'done' then
  save = accepted and known[3] and known[3] ~= '0' and proof > tonumber(known[3])
elseif accepted then
  save = true  -- under any fence: the provider has it
elseif state == 'sending' then
  -- Fence 0 is that of a caller without a claim: only after the lease.
  save = known[4] == ARGV[4] or (ARGV[4] == '0' and now_us() >= tonumber(known[5]))
end

if save then
  result = ARGV[5]
  redis.call('HSET', alert, 'claimed', '1', attempt .. '.state', 'done', attempt .. '.result', result,
             attempt .. '.proof', ARGV[7])
  if known[6] and ARGV[7] ~= ARGV[10] then
    redis.call('SREM', known[6], ARGV[8])
  end
end
if not save and not accepted then
  return {'saved', 0, result or ''}
end
local life = redis.call('PTTL', alert)
if life < 0 then
  life = ARGV[9]
  redis.call('PEXPIRE', alert, life)
end
if accepted then
  if holder ~= ARGV[8] then
    redis.call('SET', KEYS[4], ARGV[8], 'PX', life)
  end
  set_end(alert, attempt, ARGV[11])
  set_reach(alert, ARGV[14])
  add_unreconciled(KEYS[5], KEYS[6], ARGV[8], ARGV[12], known[7] or ARGV[11] ~= '0', known[8])
end
return {'saved', count_write(), result}
