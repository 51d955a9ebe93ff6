-- Revert tocsin:alerts from pg
BEGIN;

DROP TABLE tocsin.facts;
DROP TABLE tocsin.tries;
DROP TABLE tocsin.alerts;

COMMIT;
