-- Finds unreconciled attempts whose next lookup is due: first those without a final status, then those that
-- lack only their price.
--   KEYS[3] attempts without a final status  [4] attempts without a price
--   ARGV[3] due until, us of UTC  [4] maximum  [5] prefix of an alert's key
-- Returns the number of all unreconciled attempts, and of each that is due: name, client, result, whether its
-- final status is known, whether its price is, whether its SID was assigned to another attempt, work of the
-- newest attempt of its step. Fewer than the maximum if these have more than 4 MiB.
local reply = {'due', 0, redis.call('ZCARD', KEYS[3]) + redis.call('ZCARD', KEYS[4])}
local left, bytes_left = tonumber(ARGV[4]), 4 * 1024 * 1024

local function append(set, name)
  local id, step, number = name:match('^([^.]+)%.(%d+)%.(%d+)$')
  local attempt = step .. '.' .. number
  local known = redis.call('HMGET', ARGV[5] .. id, 'client_id', attempt .. '.result', attempt .. '.ended',
                           attempt .. '.priced', attempt .. '.sid_reassigned', step .. '.work')
  if not known[2] then
    redis.call('ZREM', set, name)
    return
  end
  left = left - 1
  reply[#reply + 1] = name
  for i = 1, 6 do
    reply[#reply + 1] = known[i] or ''
    bytes_left = bytes_left - #reply[#reply]
  end
end

for _, set in ipairs({KEYS[3], KEYS[4]}) do
  if left > 0 then
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', ARGV[3], 'LIMIT', 0, left)) do
      if bytes_left > 0 then
        append(set, name)
      end
    end
  end
end
return reply
