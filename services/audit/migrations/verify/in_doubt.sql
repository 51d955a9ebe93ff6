-- Verify tocsin:in_doubt on pg
BEGIN;

SELECT 'tocsin.alert_events_in_doubt'::regclass;

ROLLBACK;
