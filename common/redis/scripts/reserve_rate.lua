-- Reserves the next time at a rate (GCRA).
--   KEYS[3] rate   ARGV[3] interval of this reservation, us  [4] burst, us  [5] latest, us of UTC
--   [6] span to reserve, us: this interval, and what the caller divides among its next reservations
-- Returns the time, the clock, and the start of the span.
-- The key contains the theoretical arrival time: the end of all reservations made so far. A reservation starts
-- one burst before its own end, so that after a pause at most one burst is sent at once.
local now, interval, burst = now_us(), tonumber(ARGV[3]), tonumber(ARGV[4])
local start = math.max(now, tonumber(redis.call('GET', KEYS[3]) or 0))
local time = math.max(now, start + interval - math.max(burst, interval))
if time > tonumber(ARGV[5]) then
  return {'too_late', 0, time}
end
-- An arrival time in the past has no effect, so the key expires then.
local arrival = start + ARGV[6]
redis.call('SET', KEYS[3], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1)
return {'reserved', 0, time, now, start}
