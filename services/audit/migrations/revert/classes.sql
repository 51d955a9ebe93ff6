-- Revert tocsin:classes from pg
BEGIN;

DROP INDEX tocsin.alerts_by_class;

COMMIT;
