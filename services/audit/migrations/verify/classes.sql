-- Verify tocsin:classes on pg
BEGIN;

SELECT 'tocsin.alerts_by_class'::regclass;

ROLLBACK;
