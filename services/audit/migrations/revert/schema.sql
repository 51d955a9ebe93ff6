-- Revert tocsin:schema from pg
BEGIN;

DROP SCHEMA tocsin;

COMMIT;
