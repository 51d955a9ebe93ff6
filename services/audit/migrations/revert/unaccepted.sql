-- Revert tocsin:unaccepted from pg
BEGIN;

DROP INDEX tocsin.alerts_unaccepted;

COMMIT;
