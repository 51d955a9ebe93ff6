-- The next turn at a sender's rate (GCRA).
--   KEYS[3] turn   ARGV[3] interval of this turn, us  [4] burst, us  [5] latest, us of UTC
-- The key holds the theoretical arrival time: when all turns given so far are used up. A turn begins one
-- burst before its own end, so that a sender that rested gets at most one burst at once.
local now, interval, burst = now_us(), tonumber(ARGV[3]), tonumber(ARGV[4])
local ends = math.max(now, tonumber(redis.call('GET', KEYS[3]) or 0)) + interval
local turn = math.max(now, ends - math.max(burst, interval))
if turn > tonumber(ARGV[5]) then
  return {'late', 0, turn}
end
-- When the arrival time has passed, the key says nothing any more.
redis.call('SET', KEYS[3], string.format('%.0f', ends), 'PX', math.ceil((ends - now) / 1000) + 1)
return {'turn', 0, turn}
