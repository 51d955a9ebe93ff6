-- Revert tocsin:positions from pg
BEGIN;

DROP TABLE tocsin.unparsed;
DROP TABLE tocsin.positions;

COMMIT;
