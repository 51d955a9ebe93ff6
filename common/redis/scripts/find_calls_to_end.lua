-- The calls of an alert whose goal is reached, or whose person has acknowledged or declined it.
--   KEYS[3] alert
-- Returns the results of accepted attempts without a final status.
local alert = KEYS[3]
local plan = redis.call('HMGET', alert, 'goal', 'person_count', 'acknowledged')
local reply = {'calls', 0}
if plan[1] then
  local all = plan[3] and persons_acknowledged(alert, plan[2]) or reached(alert, plan[1])
  local known = redis.call('HGETALL', alert)
  for i = 1, #known, 2 do
    local attempt, step = known[i]:match('^((%d+)%.%d+)%.result$')
    if attempt and redis.call('HEXISTS', alert, attempt .. '.ended') == 0 then
      local person = redis.call('HGET', alert, step .. '.person') or ''
      if all or redis.call('HEXISTS', alert, field_of_person('acknowledged', person)) == 1 or
          redis.call('HEXISTS', alert, field_of_person('declined', person)) == 1 then
        reply[#reply + 1] = known[i + 1]
      end
    end
  end
end
return reply
