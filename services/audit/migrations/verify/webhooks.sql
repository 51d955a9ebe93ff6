-- Verify tocsin:webhooks on pg
BEGIN;

SELECT filed, webhook_id, kind, received_us, step, try, provider_sid, account_sid, status, provider_code, sequence, signed_by,
       token, last_four, country, answered_by, duration, segments, opt_out_type, dek_id, sealed_schema, nonce, form
  FROM tocsin.webhooks WHERE false;
SELECT webhook_id, provider_sid, stored, record FROM tocsin.orphans WHERE false;
SELECT dek_id, token, kek_alias, kek_version, wrapped FROM tocsin.wrapped_keys WHERE false;

ROLLBACK;
