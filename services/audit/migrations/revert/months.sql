-- Revert tocsin:months from pg
-- The partitions stay: they belong to the tables of the changes before.
BEGIN;

DROP FUNCTION tocsin.ensure_month(date);
DROP FUNCTION tocsin.first_id(timestamptz);

COMMIT;
