-- Restores a mark on an alert from the log.
--   KEYS[3] alert   ARGV[3] client or ''  [4] 'cancelled', 'acknowledged', 'declined' or 'missed'  [5] when and by whom
--   [6] life, ms  [7] person of the plan who acknowledged or declined, or ''  [8] step of the message or call
--   [9] who acknowledged by the API, or ''
if ARGV[3] ~= '' then
  redis.call('HSETNX', KEYS[3], 'client_id', ARGV[3])
end
local person = ''
if ARGV[4] == 'acknowledged' or ARGV[4] == 'declined' then
  person = person_of_mark(KEYS[3], ARGV[7], ARGV[8], ARGV[9])
end
if person ~= '' then
  mark_person(KEYS[3], ARGV[4], person, ARGV[8], ARGV[5])
elseif ARGV[4] == 'acknowledged' then
  mark_acknowledged(KEYS[3], ARGV[9], ARGV[5])
else
  redis.call('HSETNX', KEYS[3], ARGV[4], ARGV[5])
end
redis.call('PEXPIRE', KEYS[3], ARGV[6], 'NX')
return {'restored', 0}
