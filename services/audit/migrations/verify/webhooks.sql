-- Verify tocsin:webhooks on pg
BEGIN;

SELECT partition_key, webhook_id, kind, receive_time_us, step, attempt, provider_sid, account_sid, provider_status, status,
       provider_code, sequence_number, signed_by, token, last_four, region_code, answered_by, duration_seconds,
       segment_count, opt_out_type, dek_id, sealed_schema, nonce, raw_body
  FROM tocsin.webhooks WHERE false;
SELECT webhook_id, provider_sid, create_time, record FROM tocsin.unmatched_callbacks WHERE false;
SELECT dek_id, token, kek_alias, kek_version, wrapped FROM tocsin.wrapped_keys WHERE false;

ROLLBACK;
