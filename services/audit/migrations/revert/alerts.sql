-- Revert tocsin:alerts from pg
BEGIN;

DROP TABLE tocsin.alert_events;
DROP TABLE tocsin.attempts;
DROP TABLE tocsin.alerts;

COMMIT;
