-- Verify tocsin:alerts on pg
BEGIN;

SELECT alert_id, client_id, class, channel, state, reason, token, token_version, last_four, country, labels, later_steps,
       accepted_us, not_after_us, send_at_us, updated_us, ended_us, revision
  FROM tocsin.alerts WHERE false;
SELECT alert_id, step, try, status, reason, provider_code, provider_sid, sender, segments, started_us, updated_us,
       price_micros, currency, doubted
  FROM tocsin.tries WHERE false;
SELECT alert_id, event_id, kind, step, try, time_us, status, reason, provider_code, provider_sid, sender, segments,
       next_try, last, note, price_micros, currency
  FROM tocsin.facts WHERE false;
SELECT 1 / (count(*) / 4) FROM pg_catalog.pg_class
 WHERE relname IN ('alerts_by_client', 'alerts_by_token', 'alerts_without_end', 'tries_by_sid');

ROLLBACK;
