-- Settles a try in doubt, or says that it stays open.
--   KEYS[3] alert  [4] twins  [5] open tries
--   ARGV[3] "<step>.<try>"  [4] the try's full name  [5] prefix of an alert's key  [6] prefix of a SID's key
--   [7] life, ms of UTC  [8] the end when nothing proves it, or ''  [9] its proof  [10] proof of a list
--   [11] proof of an open doubt  [12] wait before an open try is looked at, us; then SID and receipt of each
--   entry that may be this try
local alert, twins, try, name = KEYS[3], KEYS[4], ARGV[3], ARGV[4]
local known = redis.call('HMGET', alert, try .. '.state', try .. '.receipt', try .. '.proof',
                         try .. '.lease_us')
if known[1] == 'done' and known[3] ~= ARGV[11] then
  return {'settled', 0, known[2]}
end
local now = now_us()
if known[1] == 'sending' and tonumber(known[4]) > now then
  return {'open', 0}
end

local function finish(receipt, proof)
  redis.call('HSET', alert, 'taken', '1', try .. '.state', 'done', try .. '.receipt', receipt,
             try .. '.proof', proof)
  live_until(alert, ARGV[7])
  redis.call('SREM', twins, name)
  return {'settled', promise(), receipt}
end
local function take(sid, receipt)
  redis.call('SET', ARGV[6] .. sid, name .. ' list', 'PXAT', ARGV[7])
  enter_open(KEYS[5], alert, try, name, ARGV[12])
  return finish(receipt, ARGV[10])
end

local free = {}
for i = 13, #ARGV, 2 do
  local holder = redis.call('GET', ARGV[6] .. ARGV[i])
  if not holder then
    free[#free + 1] = i
  elseif holder == name or holder == name .. ' list' then
    return take(ARGV[i], ARGV[i + 1])
  end
end

if #free > 0 then
  -- Every try with this person and this text that may own one of them, this one included.
  local doubts, sending = 1, 0
  for _, twin in ipairs(redis.call('SMEMBERS', twins)) do
    if twin ~= name then
      local id, number = twin:match('^([^.]+)%.(.+)$')
      local other = redis.call('HMGET', ARGV[5] .. id, number .. '.state', number .. '.proof',
                               number .. '.lease_us')
      if other[1] == 'sending' and tonumber(other[3]) > now then
        sending = sending + 1
      elseif other[1] == 'sending' or (other[1] == 'done' and other[2] == ARGV[11]) then
        doubts = doubts + 1
      else
        redis.call('SREM', twins, twin)
      end
    end
  end
  local enough = #free >= doubts + sending
  -- A POST under way may be the owner of the last ones: they are not given away.
  if enough or (ARGV[8] ~= '' and sending == 0) then
    return take(ARGV[free[1]], ARGV[free[1] + 1])
  end
end
if ARGV[8] ~= '' then
  return finish(ARGV[8], ARGV[9])
end
return {'open', 0}
