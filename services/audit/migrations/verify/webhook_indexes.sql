-- Verify tocsin:webhook_indexes on pg
BEGIN;

SELECT 1 / (to_regclass('tocsin.webhooks_by_sid') IS NULL)::integer;

ROLLBACK;
