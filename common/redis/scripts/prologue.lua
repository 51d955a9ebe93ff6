-- Stands before every script.
--   KEYS[1] epoch    ARGV[1] the epoch the caller began with
--   KEYS[2] tide     ARGV[2] the caller's process
-- A Redis that was flushed, restored or exchanged has another epoch or none. What it does not know proves
-- nothing, so nothing is answered.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'epoch', 0}
end

-- Redis's own time judges leases and turns: the clocks of the replicas may differ.
local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Counts what was promised to this process. After a restart of Redis a lower count than the one promised
-- last shows that the end of its append-only file was lost.
local function promise()
  return redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
end

-- Lengthens a key's life and never shortens it: claims must outlive every record of their alert.
local function live_until(key, at_ms)
  if redis.call('PEXPIREAT', key, at_ms, 'GT') == 0 then
    redis.call('PEXPIREAT', key, at_ms, 'NX')
  end
end

-- Enters a try that the carrier has among those whose end and price are still to be told, to be looked at
-- after `wait` us. Once both were told it stays out.
local function enter_open(set, alert, try, name, wait)
  local told = redis.call('HMGET', alert, try .. '.ended', try .. '.priced')
  if not (told[1] and told[2]) then
    redis.call('ZADD', set, 'NX', now_us() + wait, name)
  end
end
