-- Revert tocsin:dead_letter_indexes from pg
BEGIN;

DROP INDEX tocsin.dead_letters_by_reason;
DROP INDEX tocsin.dead_letters_by_channel;

COMMIT;
