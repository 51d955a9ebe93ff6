-- Notes what was published about an unreconciled attempt.
--   KEYS[3] alert  [4] attempts without a final status  [5] attempts without a price
--   ARGV[3] "<step>.<attempt>"  [4] name of the attempt  [5] the end that was published (set_end)  [6] '1' if
--   its price was  [7] when the next lookup is due, us of UTC; '' if there is none  [8] reach (set_reach)
-- An attempt that is removed has both, so that a later callback does not add it again.
local alert, attempt = KEYS[3], ARGV[3]
if redis.call('EXISTS', alert) == 1 then
  set_end(alert, attempt, ARGV[5])
  set_reach(alert, ARGV[8])
  if ARGV[6] == '1' then
    redis.call('HSET', alert, attempt .. '.priced', '1')
  end
end
local removed = redis.call('ZREM', KEYS[4], ARGV[4]) + redis.call('ZREM', KEYS[5], ARGV[4])
if removed > 0 and ARGV[7] ~= '' then
  -- A callback may have brought the final status since the lookup began.
  local ended = redis.call('HGET', alert, attempt .. '.ended')
  redis.call('ZADD', ended and KEYS[5] or KEYS[4], ARGV[7], ARGV[4])
end
return {'noted', 0}
