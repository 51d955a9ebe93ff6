-- Verify tocsin:evidence on pg
BEGIN;

SELECT evidence FROM tocsin.alert_events WHERE false;

ROLLBACK;
