-- Resolves an attempt in doubt if possible.
--   KEYS[3] alert  [4] duplicates  [5] attempts without a final status  [6] attempts without a price
--   ARGV[3] "<step>.<attempt>"  [4] name of the attempt  [5] prefix of an alert's key  [6] prefix of a SID's
--   key  [7] expiry, ms of UTC  [8] result after the timeout without proof, or ''  [9] its proof  [10] proof
--   of a list  [11] proof of an attempt in doubt  [12] delay of the first lookup of an unreconciled attempt,
--   us  [13] result if the list proves that the provider does not have it, or ''  [14] number of SIDs in that
--   list; then these SIDs; then SID and result of each listed entry that may match
-- Returns 'resolved' with the result, or 'in_doubt'.
local alert, duplicates, attempt, name = KEYS[3], KEYS[4], ARGV[3], ARGV[4]
local known = redis.call('HMGET', alert, attempt .. '.state', attempt .. '.result', attempt .. '.proof',
                         attempt .. '.lease_end_us', attempt .. '.ended', attempt .. '.priced')
if known[1] == 'done' and known[3] ~= ARGV[11] then
  return {'resolved', 0, known[2]}
end
local now = now_us()
if known[1] == 'sending' and tonumber(known[4]) > now then
  return {'in_doubt', 0}
end

local function finish(result, proof)
  redis.call('HSET', alert, 'claimed', '1', attempt .. '.state', 'done', attempt .. '.result', result,
             attempt .. '.proof', proof)
  expire_after(alert, ARGV[7])
  redis.call('SREM', duplicates, name)
  return {'resolved', count_write(), result}
end
local function assign(sid, result)
  redis.call('SET', ARGV[6] .. sid, name .. ' list', 'PXAT', ARGV[7])
  add_unreconciled(KEYS[5], KEYS[6], name, ARGV[12], known[5], known[6])
  return finish(result, ARGV[10])
end

local first_listed, listed_count = 15, tonumber(ARGV[14])
local free = {}
for i = first_listed + listed_count, #ARGV, 2 do
  local holder = redis.call('GET', ARGV[6] .. ARGV[i])
  if not holder then
    free[#free + 1] = i
  elseif holder == name or holder == name .. ' list' then
    return assign(ARGV[i], ARGV[i + 1])
  end
end

if #free > 0 then
  -- Attempts with the same recipient and text that may own one of the entries, including this one.
  local in_doubt, sending = 1, 0
  for _, duplicate in ipairs(redis.call('SMEMBERS', duplicates)) do
    if duplicate ~= name then
      local id, number = duplicate:match('^([^.]+)%.(.+)$')
      local other = redis.call('HMGET', ARGV[5] .. id, number .. '.state', number .. '.proof',
                               number .. '.lease_end_us')
      if other[1] == 'sending' and tonumber(other[3]) > now then
        sending = sending + 1
      elseif other[1] == 'sending' or (other[1] == 'done' and other[2] == ARGV[11]) then
        in_doubt = in_doubt + 1
      else
        redis.call('SREM', duplicates, duplicate)
      end
    end
  end
  local enough = #free >= in_doubt + sending
  -- The last entries may belong to a POST in progress.
  if enough or (ARGV[8] ~= '' and sending == 0) then
    return assign(ARGV[free[1]], ARGV[free[1] + 1])
  end
end
-- Every listed message belongs to another attempt, as a callback or a response proves: an assignment from the
-- list may be wrong.
local function all_belong_to_others()
  for i = first_listed, first_listed + listed_count - 1 do
    local holder = redis.call('GET', ARGV[6] .. ARGV[i])
    if not holder or holder == name or string.match(holder, ' list$') then
      return false
    end
  end
  return true
end
if ARGV[13] ~= '' and all_belong_to_others() then
  return finish(ARGV[13], ARGV[9])
end
if ARGV[8] ~= '' then
  return finish(ARGV[8], ARGV[9])
end
return {'in_doubt', 0}
