-- Revert tocsin:priorities from pg
BEGIN;

DROP INDEX tocsin.alerts_by_priority;

COMMIT;
