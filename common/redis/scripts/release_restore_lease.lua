-- Releases the lease of the process that restores claims, if it still has it.
--   KEYS[3] lease   ARGV[3] token of the process
if redis.call('GET', KEYS[3]) == ARGV[3] then
  redis.call('DEL', KEYS[3])
end
return {'released', 0}
