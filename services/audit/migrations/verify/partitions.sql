-- Verify tocsin:partitions on pg
BEGIN;

SELECT 1 / (tocsin.first_id('2026-01-01T00:00:00Z') = '019b76da-a800-0000-0000-000000000000')::integer;
SELECT has_function_privilege('tocsin.ensure_month(date)', 'execute');

ROLLBACK;
