-- Notes what was published of an open try.
--   KEYS[3] alert  [4] open tries   ARGV[3] "<step>.<try>"  [4] the try's full name  [5] '1' when its end was told
--   [6] '1' when its price was  [7] when to look again, us of UTC, or ''
-- What leaves is told in full, so that a callback that comes later does not enter it again.
local alert, try = KEYS[3], ARGV[3]
if redis.call('EXISTS', alert) == 1 then
  if ARGV[5] == '1' then
    redis.call('HSET', alert, try .. '.ended', '1')
  end
  if ARGV[6] == '1' then
    redis.call('HSET', alert, try .. '.priced', '1')
  end
end
if ARGV[7] == '' then
  redis.call('ZREM', KEYS[4], ARGV[4])
else
  redis.call('ZADD', KEYS[4], 'XX', ARGV[7], ARGV[4])
end
return {'noted', 0}
