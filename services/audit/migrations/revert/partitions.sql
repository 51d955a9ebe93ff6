-- Revert tocsin:partitions from pg
-- The partitions remain: they belong to the tables of earlier changes.
BEGIN;

DROP FUNCTION tocsin.ensure_month(date);
DROP FUNCTION tocsin.first_id(timestamptz);

COMMIT;
