-- Verify tocsin:priorities on pg
BEGIN;

SELECT 'tocsin.alerts_by_priority'::regclass;

ROLLBACK;
