-- Verify tocsin:plans on pg
BEGIN;

SELECT plan FROM tocsin.alerts WHERE false;
SELECT person FROM tocsin.alert_events WHERE false;

ROLLBACK;
