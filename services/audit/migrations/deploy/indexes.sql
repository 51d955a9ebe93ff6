-- Deploy tocsin:indexes to pg
-- requires: alerts
-- requires: partitions
BEGIN;

-- The state of an alert that is final, NULL before that. Changes in progress touch no index on it, so that PostgreSQL
-- can update the row in place.
ALTER TABLE tocsin.alerts ADD COLUMN outcome smallint;
UPDATE tocsin.alerts SET outcome = state WHERE end_time_us IS NOT NULL;

-- The indexes of ListAlerts and of the alert counts; docs/queries.md has the queries and their plans. Lists are sorted
-- by create time, newest first: the id of an alert with an idempotency key contains only its day.
DROP INDEX tocsin.alerts_by_client;
DROP INDEX tocsin.alerts_by_token;
CREATE INDEX alerts_by_client ON tocsin.alerts (client_id, create_time_us, alert_id) WHERE create_time_us IS NOT NULL;
CREATE INDEX alerts_by_token ON tocsin.alerts (token, create_time_us, alert_id) WHERE create_time_us IS NOT NULL;
CREATE INDEX alerts_in_progress ON tocsin.alerts (client_id, create_time_us, alert_id) WHERE end_time_us IS NULL;
CREATE INDEX alerts_without_end ON tocsin.alerts (expire_time_us, client_id) WHERE end_time_us IS NULL;
CREATE INDEX alerts_not_delivered ON tocsin.alerts (client_id, outcome, create_time_us, alert_id) WHERE outcome <> 4;
CREATE INDEX alerts_by_label ON tocsin.alerts USING gin (labels jsonb_path_ops) WHERE labels <> '{}';

COMMIT;
