-- Revert tocsin:plans from pg
BEGIN;

ALTER TABLE tocsin.alert_events DROP COLUMN person;
ALTER TABLE tocsin.alerts DROP COLUMN plan;

COMMIT;
