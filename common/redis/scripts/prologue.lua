-- Precedes every script.
--   KEYS[1] epoch          ARGV[1] epoch of the caller
--   KEYS[2] write counts   ARGV[2] process of the caller; '' if it does not use the count
-- A Redis that was flushed, restored or replaced has another epoch or none. An attempt that it does not know
-- may have been claimed, so it returns no result.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'epoch_changed', 0}
end

-- The epoch as an alert stores it, short.
local function epoch_mark()
  return string.sub(ARGV[1], 1, 8)
end

-- Leases and rates use the clock of Redis: the clocks of the replicas may differ.
local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Counts the writes that were confirmed to this process. If the count is lower after a restart of Redis, the
-- end of the append-only file was lost.
local function count_write()
  if ARGV[2] == '' then
    return 0
  end
  return redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
end

-- Extends the life of a key, never shortens it: claims must exist longer than the records of their alert.
local function expire_after(key, at_ms)
  if redis.call('PEXPIREAT', key, at_ms, 'NX') == 0 then
    redis.call('PEXPIREAT', key, at_ms, 'GT')
  end
end

-- Adds an accepted attempt to the unreconciled ones, unless its final status and its price are known: to
-- `open` while its final status is missing, then to `unpriced`. Its first lookup is due after `delay` us; an
-- attempt that moves keeps its time.
local function add_unreconciled(open, unpriced, name, delay, ended, priced)
  if ended and priced then
    return
  end
  local due = now_us() + delay
  if not ended then
    redis.call('ZADD', open, 'NX', due, name)
    return
  end
  due = redis.call('ZSCORE', open, name) or due
  redis.call('ZREM', open, name)
  redis.call('ZADD', unpriced, 'NX', due, name)
end

-- Notes the end of an attempt: '0' not yet, '1' it has its final status, 'delivered' that status is DELIVERED.
local function set_end(alert, attempt, ended)
  if ended == 'delivered' then
    redis.call('HSET', alert, attempt .. '.ended', '1', attempt .. '.delivered', '1')
  elseif ended ~= '0' then
    redis.call('HSET', alert, attempt .. '.ended', '1')
  end
end

-- Notes how far an alert got: 'delivered', 'human' (a person answered a call), or '' for neither.
local function set_reach(alert, reach)
  if reach ~= '' then
    redis.call('HSET', alert, reach, '1')
  end
end

-- Whether the goal of a plan (v1.Reach) other than acknowledgements is reached.
local function reached(alert, goal)
  local known = redis.call('HMGET', alert, 'delivered', 'human')
  return goal == '2' and (known[1] or known[2]) or goal == '4' and known[2]
end

-- Stores whom a step reaches, the goal, and how many persons must acknowledge.
local function set_plan(alert, step, person, goal, person_count)
  if person ~= '' then
    redis.call('HSET', alert, step .. '.person', person, 'goal', goal, 'person_count', person_count)
  end
end

-- Whether so many persons have acknowledged: '0' or '' without a plan or with another goal.
local function persons_acknowledged(alert, person_count)
  return (tonumber(person_count) or 0) <= (tonumber(redis.call('HGET', alert, 'ack_count') or 0))
end

-- The field with the mark ('acknowledged' or 'declined') of a person of the plan.
local function field_of_person(mark, person)
  return mark .. '.' .. person
end

-- The targets of this person that were claimed have failed: the next step of the plan may start.
local function fail_targets(alert, person)
  local known = redis.call('HGETALL', alert)
  for i = 1, #known, 2 do
    local step = known[i]:match('^(%d+)%.person$')
    if step and known[i + 1] == person then
      redis.call('HSET', alert, step .. '.failed', '1')
    end
  end
end

-- Marks an alert as acknowledged or declined by a person of its plan, and as acknowledged if these are enough persons.
-- The targets of one who declined have failed. Returns 1 if the person did not have this mark, else 0.
local function mark_person(alert, mark, person, step, text)
  local newly = redis.call('HSETNX', alert, field_of_person(mark, person), text)
  if mark == 'declined' then
    redis.call('HSET', alert, step .. '.failed', '1')
    fail_targets(alert, person)
    return newly
  end
  if newly == 1 then
    redis.call('HINCRBY', alert, 'ack_count', 1)
  end
  if persons_acknowledged(alert, redis.call('HGET', alert, 'person_count')) and
      redis.call('HSETNX', alert, 'acknowledged', text) == 1 then
    redis.call('HSET', alert, 'acknowledged_person', person)
  end
  return newly
end

-- Whether an acknowledgement by the API names a person beyond kMaxAcknowledgements.
local function is_beyond_limit(alert, person, actor)
  return actor ~= '' and redis.call('HEXISTS', alert, field_of_person('acknowledged', person)) == 0 and
         persons_acknowledged(alert, 64)
end

-- The person of a mark: the given one, or that of the step, or the one who calls if the alert is known to have a plan.
-- '' also beyond the limit.
local function person_of_mark(alert, person, step, actor)
  if person == '' then
    person = redis.call('HGET', alert, step .. '.person') or
             redis.call('HEXISTS', alert, 'person_count') == 1 and actor or ''
  end
  return person ~= '' and is_beyond_limit(alert, person, actor) and '' or person
end

-- Marks an alert as acknowledged by somebody who is no known person of a plan, which the alert may have all the same:
-- its first claim counts each actor as one person. Returns 1 if the alert did not have the mark, else 0.
local function mark_acknowledged(alert, actor, text)
  if not is_beyond_limit(alert, actor, actor) and
      redis.call('HSETNX', alert, field_of_person('acknowledged', actor), text) == 1 then
    redis.call('HINCRBY', alert, 'ack_count', 1)
  end
  return redis.call('HSETNX', alert, 'acknowledged', text)
end

-- Code, step and expire time of AckCodeText().
local function parse_ack_code(text)
  return text:match('^(%d+) (%d+) (%d+)$')
end

-- Stores the code by which a reply acknowledges the alert, with the others of its recipient. Of more than 1000 that
-- have not expired the last ones are not stored.
local function add_ack_code(codes, alert_id, text, at_ms)
  if codes == '' then
    return
  end
  if redis.call('HLEN', codes) >= 1000 then
    local known = redis.call('HGETALL', codes)
    for i = 1, #known, 2 do
      local _, _, expire_us = parse_ack_code(known[i + 1])
      if tonumber(expire_us) < now_us() then
        redis.call('HDEL', codes, known[i])
      end
    end
  end
  if redis.call('HLEN', codes) >= 1000 then
    return
  end
  redis.call('HSET', codes, alert_id, text)
  expire_after(codes, at_ms)
end
