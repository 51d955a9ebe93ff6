-- Verify tocsin:doubts on pg
BEGIN;

SELECT 'tocsin.facts_of_doubt'::regclass;

ROLLBACK;
