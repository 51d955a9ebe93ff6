-- Verify tocsin:unaccepted on pg
BEGIN;

SELECT 'tocsin.alerts_unaccepted'::regclass;

ROLLBACK;
