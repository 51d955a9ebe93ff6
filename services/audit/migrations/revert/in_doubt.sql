-- Revert tocsin:in_doubt from pg
BEGIN;

DROP INDEX tocsin.alert_events_in_doubt;

COMMIT;
