-- Verify tocsin:dead_letter_indexes on pg
BEGIN;

SELECT 'tocsin.dead_letters_by_channel'::regclass, 'tocsin.dead_letters_by_reason'::regclass;

ROLLBACK;
