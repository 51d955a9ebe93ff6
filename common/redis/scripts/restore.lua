-- Tells what the log knows of a try.
--   KEYS[3] alert  [4] SID (used when it is not '')  [5] open tries
--   ARGV[3] "<step>.<try>"  [4] receipt, '' while only its begin is known  [5] what it proves  [6] the try's
--   full name  [7] lease, us of UTC, '0' when it tells no begin  [8] began, us of UTC  [9] life, ms  [10] SID
--   or ''  [11] proof of a list  [12] '1' when its end is told  [13] '1' when its price is  [14] wait before an
--   open try is looked at, us  [15] client or ''
local alert, try, proof = KEYS[3], ARGV[3], tonumber(ARGV[5])
local known = redis.call('HMGET', alert, try .. '.state', try .. '.proof', try .. '.lease_us', try .. '.began_us')
local state = known[1]

-- Who may ask for it, cancel and acknowledge it.
if ARGV[15] ~= '' then
  redis.call('HSETNX', alert, 'client', ARGV[15])
end

for i, field in ipairs({'.ended', '.priced'}) do
  if ARGV[11 + i] == '1' then
    redis.call('HSET', alert, try .. field, '1')
  end
end
if ARGV[4] == '' then
  if ARGV[7] == '0' then
    -- Nothing of how it began or came out.
  elseif not state then
    redis.call('HSET', alert, 'taken', '1', try .. '.state', 'sending', try .. '.lease_us', ARGV[7],
               try .. '.began_us', ARGV[8])
    redis.call('HSETNX', alert, try .. '.fence', 1)
  elseif state == 'sending' then
    -- Of all who may have made its POST, the last lease and the first begin.
    redis.call('HSET', alert, try .. '.lease_us', math.max(tonumber(known[3]), tonumber(ARGV[7])),
               try .. '.began_us', math.min(tonumber(known[4]), tonumber(ARGV[8])))
  end
else
  -- What is certain stays; of the rest, what proves more.
  local stands = state == 'done' and tonumber(known[2]) or -1
  if stands < 0 or (stands > 0 and proof > stands) then
    redis.call('HSET', alert, 'taken', '1', try .. '.state', 'done', try .. '.receipt', ARGV[4],
               try .. '.proof', ARGV[5])
  end
  if ARGV[10] ~= '' then
    if ARGV[5] == ARGV[11] then
      redis.call('SET', KEYS[4], ARGV[6] .. ' list', 'PX', ARGV[9], 'NX')
    else
      redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[9])
    end
    enter_open(KEYS[5], alert, try, ARGV[6], ARGV[14])
  end
end
local told = redis.call('HMGET', alert, try .. '.ended', try .. '.priced')
if told[1] and told[2] then
  redis.call('ZREM', KEYS[5], ARGV[6])
end
redis.call('PEXPIRE', alert, ARGV[9], 'NX')
return {'restored', 0}
