-- Revert tocsin:webhooks from pg
BEGIN;

DROP TABLE tocsin.wrapped_keys;
DROP TABLE tocsin.orphans;
DROP TABLE tocsin.webhooks;

COMMIT;
