-- Writes what came of a try and returns the receipt that stands ('' for none).
--   KEYS[3] alert  [4] SID  [5] open tries (both used when accepted)
--   ARGV[3] "<step>.<try>"  [4] fence  [5] receipt  [6] '1' when accepted
--   [7] what the receipt proves (Proof in common/domain/doubt.h)  [8] the try's full name  [9] life without
--   a known horizon, ms  [10] proof of an open doubt  [11] '1' when it tells the try's end too  [12] wait
--   before an open try is looked at, us  [13] prefix of an alert's key
local alert, try, accepted, proof = KEYS[3], ARGV[3], ARGV[6] == '1', tonumber(ARGV[7])
local known = redis.call('HMGET', alert, try .. '.state', try .. '.receipt', try .. '.proof',
                         try .. '.fence', try .. '.lease_us', try .. '.twins')
local state, receipt = known[1], known[2]

-- A SID that stood for two tries would let one sent message pay for both. What a list gave is a guess
-- among equal messages, and goes to the try that is named.
if accepted then
  local holder = redis.call('GET', KEYS[4])
  local id, guessed = string.match(holder or '', '^([^.]+)%.(%S+) list$')
  if guessed and holder ~= ARGV[8] .. ' list' then
    redis.call('HSET', ARGV[13] .. id, guessed .. '.robbed', '1')
  elseif holder and not guessed and holder ~= ARGV[8] then
    return {'sid', 0, holder}
  end
end

local takes
if state == 'done' then
  takes = accepted and known[3] and known[3] ~= '0' and proof > tonumber(known[3])
elseif accepted then
  takes = true  -- Twilio has it, whoever says so
elseif state == 'sending' then
  -- Fence 0 speaks for a holder that fell silent, and not before its lease is over.
  takes = known[4] == ARGV[4] or (ARGV[4] == '0' and now_us() >= tonumber(known[5]))
end

if takes then
  receipt = ARGV[5]
  redis.call('HSET', alert, 'taken', '1', try .. '.state', 'done', try .. '.receipt', receipt,
             try .. '.proof', ARGV[7])
  redis.call('PEXPIRE', alert, ARGV[9], 'NX')
  if known[6] and ARGV[7] ~= ARGV[10] then
    redis.call('SREM', known[6], ARGV[8])
  end
end
if accepted then
  local life = redis.call('PTTL', alert)
  redis.call('SET', KEYS[4], ARGV[8], 'PX', life > 0 and life or ARGV[9])
  if ARGV[11] == '1' then
    redis.call('HSET', alert, try .. '.ended', '1')
  end
  enter_open(KEYS[5], alert, try, ARGV[8], ARGV[12])
end
return {'kept', (takes or accepted) and promise() or 0, receipt or ''}
