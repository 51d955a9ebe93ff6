-- Deploy tocsin:evidence to pg
-- requires: alerts
BEGIN;

-- What proves an acknowledgement: records.v1.Acknowledged.evidence.
ALTER TABLE tocsin.alert_events ADD COLUMN evidence bytea;

COMMIT;
