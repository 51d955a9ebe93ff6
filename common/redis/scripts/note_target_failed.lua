-- Notes that a target of a plan has failed: the next step may start.
--   KEYS[3] alert   ARGV[3] step  [4] life of a new hash, ms  [5] targets that must have failed before no step of the
--   plan is left, separated by spaces, '' if this does not matter  [6] now, us of UTC
-- Returns 'noted', or 'exhausted' with the time when no step was left first.
local alert = KEYS[3]
redis.call('HSET', alert, ARGV[3] .. '.failed', '1')
redis.call('PEXPIRE', alert, ARGV[4], 'NX')
local plan = redis.call('HMGET', alert, 'goal', 'person_count', 'acknowledged', 'cancelled', 'missed')
local exhausted = ARGV[5] ~= '' and plan[1] and not plan[4] and not plan[5] and not reached(alert, plan[1]) and
                  not (plan[3] and persons_acknowledged(alert, plan[2]))
for number in string.gmatch(ARGV[5], '%d+') do
  exhausted = exhausted and redis.call('HEXISTS', alert, number .. '.failed') == 1
end
if not exhausted then
  return {'noted', count_write()}
end
redis.call('HSETNX', alert, 'exhausted', ARGV[6])
return {'exhausted', count_write(), redis.call('HGET', alert, 'exhausted')}
