-- Open tries that are to be looked at.
--   KEYS[3] open tries   ARGV[3] by when, us of UTC  [4] how many at most  [5] prefix of an alert's key
-- Answers how many there are, due or not, and of each that is due: name, client, receipt, whether its end was
-- told, whether its price was, whether its SID went to another try, the work of its step's newest try.
local answer = {'open', 0, redis.call('ZCARD', KEYS[3])}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])) do
  local id, step, count = name:match('^([^.]+)%.(%d+)%.(%d+)$')
  local try = step .. '.' .. count
  local known = redis.call('HMGET', ARGV[5] .. id, 'client', try .. '.receipt', try .. '.ended', try .. '.priced',
                           try .. '.robbed', step .. '.work')
  if known[2] then
    answer[#answer + 1] = name
    for i = 1, 6 do
      answer[#answer + 1] = known[i] or ''
    end
  else
    redis.call('ZREM', KEYS[3], name)
  end
end
return answer
