-- Who may make a try.
--   KEYS[3] alert  [4] twins   ARGV[3] "<step>.<try>"  [4] step  [5] client  [6] owner  [7] lease, us  [8] work
--   [9] verdict's receipt or ''  [10] what it proves  [11] receipt of a cancelled try
--   [12] of an acknowledged one  [13] life, ms of UTC  [14] the try's full name
local alert, try = KEYS[3], ARGV[3]
local known = redis.call('HMGET', alert, try .. '.state', try .. '.receipt', try .. '.lease_us',
                         try .. '.fence', try .. '.began_us', 'cancelled', 'acknowledged')
local state, fence, began = known[1], known[4], known[5]

-- What was begun outranks marks and verdicts: its POST may have left.
if state == 'done' then
  return {'done', 0, known[2]}
end
local now = now_us()
if state == 'sending' then
  local left = tonumber(known[3]) - now
  if left > 0 then
    return {'busy', 0, fence, began, left}
  end
  return {'lapsed', 0, fence, began}
end

-- `taken` guards against a withdrawal that would erase claims.
redis.call('HSET', alert, 'client', ARGV[5], 'taken', '1')
live_until(alert, ARGV[13])

-- An end is stored as the outcome, so that every repetition finds the same one.
local function finish(word, receipt, proof)
  redis.call('HSET', alert, try .. '.state', 'done', try .. '.receipt', receipt,
             try .. '.proof', proof)
  return {word, promise(), receipt}
end
if known[6] then
  return finish('stopped', ARGV[11], '0')
end
if known[7] then
  return finish('stopped', ARGV[12], '0')
end
if ARGV[9] ~= '' then
  return finish('done', ARGV[9], ARGV[10])
end

fence = redis.call('HINCRBY', alert, try .. '.fence', 1)
redis.call('HSET', alert, try .. '.state', 'sending', try .. '.owner', ARGV[6],
           try .. '.lease_us', now + ARGV[7], try .. '.began_us', now, ARGV[4] .. '.work', ARGV[8],
           try .. '.twins', KEYS[4])
redis.call('SADD', KEYS[4], ARGV[14])
live_until(KEYS[4], ARGV[13])
return {'granted', promise(), fence, now}
