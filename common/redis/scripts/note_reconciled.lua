-- Notes what was published about an unreconciled attempt.
--   KEYS[3] alert  [4] unreconciled attempts
--   ARGV[3] "<step>.<attempt>"  [4] name of the attempt  [5] the end that was published (set_end)  [6] '1' if
--   its price was  [7] when the next lookup is due, us of UTC; '' if there is none
-- An attempt that is removed has both, so that a later callback does not add it again.
local alert, attempt = KEYS[3], ARGV[3]
if redis.call('EXISTS', alert) == 1 then
  set_end(alert, attempt, ARGV[5])
  if ARGV[6] == '1' then
    redis.call('HSET', alert, attempt .. '.priced', '1')
  end
end
if ARGV[7] == '' then
  redis.call('ZREM', KEYS[4], ARGV[4])
else
  redis.call('ZADD', KEYS[4], 'XX', ARGV[7], ARGV[4])
end
return {'noted', 0}
