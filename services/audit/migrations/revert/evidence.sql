-- Revert tocsin:evidence from pg
BEGIN;

ALTER TABLE tocsin.alert_events DROP COLUMN evidence;

COMMIT;
