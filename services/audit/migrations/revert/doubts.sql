-- Revert tocsin:doubts from pg
BEGIN;

DROP INDEX tocsin.facts_of_doubt;

COMMIT;
