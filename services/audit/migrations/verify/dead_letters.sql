-- Verify tocsin:dead_letters on pg
BEGIN;

SELECT alert_id, step, attempt, client_id, channel, reason, provider_code, create_time_us, topic, partition, record_offset,
       traceparent, work, state, next_attempt, forced, close_time_us, actor_id, discard_reason
  FROM tocsin.dead_letters WHERE false;
SELECT 'tocsin.dead_letters_by_state'::regclass;

ROLLBACK;
