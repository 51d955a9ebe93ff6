-- Deploy tocsin:schema to pg
BEGIN;

CREATE SCHEMA tocsin;
COMMENT ON SCHEMA tocsin IS
  'What became of alerts: a fold of Kafka topics. Written by tocsin-audit alone. Holds no personal data in the clear: '
  'recipients are tokens, last four digits and a country. Times named *_us are microseconds of UTC since 1970.';

COMMIT;
