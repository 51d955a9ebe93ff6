-- Deploy tocsin:schema to pg
BEGIN;

CREATE SCHEMA tocsin;
COMMENT ON SCHEMA tocsin IS
  'The status of alerts: a projection of Kafka topics. Written by tocsin-audit alone. Contains no personal data in the '
  'clear: recipients are stored as tokens, last four digits and a region. Columns named *_us are microseconds of UTC '
  'since 1970.';

COMMIT;
