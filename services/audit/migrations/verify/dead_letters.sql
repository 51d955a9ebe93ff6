-- Verify tocsin:dead_letters on pg
BEGIN;

SELECT alert_id, step, try, client_id, channel, reason, explanation, dead_us, topic, partition, record_offset, work, state,
       next_try, closed_us, closed_by, closed_why, forced
  FROM tocsin.dead_letters WHERE false;

ROLLBACK;
