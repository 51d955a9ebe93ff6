-- Revert tocsin:revisions from pg
BEGIN;

ALTER TABLE tocsin.alerts ALTER COLUMN revision SET DEFAULT 1;

COMMIT;
