-- Deploy tocsin:in_doubt to pg
-- requires: alerts
BEGIN;

-- Attempts that were ever in doubt (v1.AttemptStatus 3). Other events cost this index nothing, because rows of
-- alert_events never change.
CREATE INDEX alert_events_in_doubt ON tocsin.alert_events (alert_id, step, attempt) WHERE status = 3;

COMMIT;
