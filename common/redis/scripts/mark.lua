-- Marks an alert as cancelled or acknowledged; no further try of it begins.
--   KEYS[3] alert   ARGV[3] client  [4] 'cancelled' or 'acknowledged'  [5] when and by whom
-- Answers what the mark says now (the first one's), whether it is ours, whether a POST may be under way, and
-- the name and receipt of each try that has its outcome.
local alert = KEYS[3]
if redis.call('HGET', alert, 'client') ~= ARGV[3] then
  return {'unknown', 0}
end
local first = redis.call('HSETNX', alert, ARGV[4], ARGV[5])
local sending, receipts = '0', {}
local known = redis.call('HGETALL', alert)
for i = 1, #known, 2 do
  local try, field = known[i]:match('^(%d+%.%d+)%.(%a+)$')
  if field == 'state' and known[i + 1] == 'sending' then
    sending = '1'
  elseif field == 'receipt' then
    receipts[#receipts + 1] = try
    receipts[#receipts + 1] = known[i + 1]
  end
end
return {'marked', promise(), redis.call('HGET', alert, ARGV[4]), first, sending, unpack(receipts)}
