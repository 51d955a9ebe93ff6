-- Verify tocsin:alerts on pg
BEGIN;

SELECT alert_id, client_id, priority, channel, token, token_version, last_four, region_code, labels, create_time_us,
       expire_time_us, send_time_us, state, reason, update_time_us, end_time_us, revision
  FROM tocsin.alerts WHERE false;
SELECT alert_id, step, attempt, status, reason, provider_code, provider_sid, sender_id, segment_count, start_time_us,
       update_time_us, price_micros, currency_code, was_in_doubt
  FROM tocsin.attempts WHERE false;
SELECT alert_id, event_id, kind, step, attempt, event_time_us, status, reason, provider_code, error_class, provider_sid,
       sender_id, segment_count, next_attempt, last, note, acknowledgement_method, actor_id, cancel_outcome, webhook_kind,
       provider_status, answered_by, duration_seconds, price_micros, currency_code
  FROM tocsin.alert_events WHERE false;
SELECT 1 / (count(*) / 3) FROM pg_catalog.pg_class
 WHERE relname IN ('alerts_by_client', 'alerts_by_token', 'attempts_by_sid');

ROLLBACK;
