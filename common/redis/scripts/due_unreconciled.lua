-- Finds unreconciled attempts whose next lookup is due.
--   KEYS[3] unreconciled attempts   ARGV[3] due until, us of UTC  [4] maximum  [5] prefix of an alert's key
-- Returns the number of all unreconciled attempts, and of each that is due: name, client, result, whether its
-- final status is known, whether its price is, whether its SID was assigned to another attempt, work of the
-- newest attempt of its step.
local reply = {'due', 0, redis.call('ZCARD', KEYS[3])}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])) do
  local id, step, number = name:match('^([^.]+)%.(%d+)%.(%d+)$')
  local attempt = step .. '.' .. number
  local known = redis.call('HMGET', ARGV[5] .. id, 'client_id', attempt .. '.result', attempt .. '.ended',
                           attempt .. '.priced', attempt .. '.sid_reassigned', step .. '.work')
  if known[2] then
    reply[#reply + 1] = name
    for i = 1, 6 do
      reply[#reply + 1] = known[i] or ''
    end
  else
    redis.call('ZREM', KEYS[3], name)
  end
end
return reply
