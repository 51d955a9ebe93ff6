-- Deploy tocsin:unaccepted to pg
-- requires: alerts
BEGIN;

-- Alerts with events but without an acceptance, which are few: their count must not read the alerts of a day. The
-- update time is not in the index: PostgreSQL could no longer update any alert in place.
CREATE INDEX alerts_unaccepted ON tocsin.alerts (alert_id) WHERE create_time_us IS NULL;

COMMIT;
