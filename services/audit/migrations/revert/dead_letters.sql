-- Revert tocsin:dead_letters from pg
BEGIN;

DROP TABLE tocsin.dead_letters;

COMMIT;
