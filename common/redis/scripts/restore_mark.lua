-- Restores a mark on an alert from the log.
--   KEYS[3] alert   ARGV[3] client or ''  [4] 'cancelled' or 'acknowledged'  [5] when and by whom  [6] life, ms
if ARGV[3] ~= '' then
  redis.call('HSETNX', KEYS[3], 'client_id', ARGV[3])
end
redis.call('HSETNX', KEYS[3], ARGV[4], ARGV[5])
redis.call('PEXPIRE', KEYS[3], ARGV[6], 'NX')
return {'restored', 0}
