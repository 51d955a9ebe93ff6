-- Revert tocsin:webhooks from pg
BEGIN;

DROP TABLE tocsin.wrapped_keys;
DROP TABLE tocsin.unmatched_callbacks;
DROP TABLE tocsin.webhooks;

COMMIT;
