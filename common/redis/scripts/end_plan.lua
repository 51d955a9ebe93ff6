-- Ends an alert at the deadline of its plan, unless the goal is reached or the alert was cancelled.
--   KEYS[3] alert   ARGV[3] goal (v1.Reach)  [4] persons who must acknowledge  [5] deadline, us of UTC  [6] life of a new
--   hash, ms
-- Returns 'missed', 'cancelled', or 'reached' with person and mark of each acknowledgement.
local alert = KEYS[3]
local known = redis.call('HMGET', alert, 'missed', 'cancelled', 'acknowledged')
if known[1] then
  return {'missed', 0}
end
if known[3] and persons_acknowledged(alert, ARGV[4]) or reached(alert, ARGV[3]) then
  local persons = {}
  local fields = redis.call('HGETALL', alert)
  for i = 1, #fields, 2 do
    local person = fields[i]:match('^acknowledged%.(.*)$')
    if person then
      persons[#persons + 1] = person
      persons[#persons + 1] = fields[i + 1]
    end
  end
  return {'reached', 0, unpack(persons)}
end
if known[2] then
  return {'cancelled', 0}
end
redis.call('HSET', alert, 'missed', ARGV[5], 'goal', ARGV[3], 'person_count', ARGV[4])
redis.call('PEXPIRE', alert, ARGV[6], 'NX')
return {'missed', count_write()}
