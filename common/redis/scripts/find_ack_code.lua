-- The alerts that a reply may acknowledge or decline.
--   KEYS[3] codes of the recipient  [4] marker of restored claims
--   ARGV[3] code, '' without one  [4] prefix of an alert's key  [5] value of the marker in this epoch and this process
--   of Redis  [6] now, us of UTC  [7] evidence of the reply, as MarkText() has it
-- Returns how many alerts wait for a reply, and of those that may be meant id, step, and '1' or '0' each: whether it is
-- acknowledged, whether the person of its plan has declined, and whether this reply did one of both. Those are the
-- alerts with the code; without a code all that are not cancelled, and those of this reply.
if redis.call('GET', KEYS[4]) ~= ARGV[5] then
  return {'restoring', 0}
end
local function is_of_reply(mark)
  return mark and string.find(mark, ARGV[7], 1, true)
end
local waiting, found = 0, {}
local known = redis.call('HGETALL', KEYS[3])
for i = 1, #known, 2 do
  local alert_id = known[i]
  local code, step, expire_us = parse_ack_code(known[i + 1])
  if tonumber(expire_us) < tonumber(ARGV[6]) then
    redis.call('HDEL', KEYS[3], alert_id)
  else
    local alert = ARGV[4] .. alert_id
    local person = redis.call('HGET', alert, step .. '.person') or ''
    local marks = redis.call('HMGET', alert, 'acknowledged', 'cancelled', field_of_person('acknowledged', person),
                             field_of_person('declined', person), 'declined')
    local acknowledged, cancelled, declined = marks[3] or marks[1], marks[2], marks[4]
    local repeated = is_of_reply(acknowledged) or is_of_reply(declined) or is_of_reply(marks[5])
    if not acknowledged and not cancelled and not declined then
      waiting = waiting + 1
    end
    if ARGV[3] == code or ARGV[3] == '' and (not cancelled or repeated) then
      found[#found + 1] = alert_id
      found[#found + 1] = step
      found[#found + 1] = acknowledged and '1' or '0'
      found[#found + 1] = declined and '1' or '0'
      found[#found + 1] = repeated and '1' or '0'
    end
  end
end
return {'codes', 0, waiting, unpack(found)}
