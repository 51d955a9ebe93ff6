-- Deploy tocsin:questions to pg
-- requires: alerts
-- requires: months
BEGIN;

-- The state of an alert that ended, NULL for the others: changes on the way touch no index of it, so PostgreSQL can
-- write them in place.
ALTER TABLE tocsin.alerts ADD COLUMN outcome smallint;
UPDATE tocsin.alerts SET outcome = state WHERE ended_us IS NOT NULL;

-- What people ask of alerts; docs/questions.md has the questions and their plans. Lists are newest first by the time
-- of acceptance: an id under an idempotency key holds only its day.
DROP INDEX tocsin.alerts_by_client;
DROP INDEX tocsin.alerts_by_token;
CREATE INDEX alerts_by_client ON tocsin.alerts (client_id, accepted_us, alert_id) WHERE accepted_us IS NOT NULL;
CREATE INDEX alerts_by_token ON tocsin.alerts (token, accepted_us, alert_id) WHERE accepted_us IS NOT NULL;
CREATE INDEX alerts_under_way ON tocsin.alerts (client_id, accepted_us, alert_id) WHERE ended_us IS NULL;
CREATE INDEX alerts_in_trouble ON tocsin.alerts (client_id, outcome, accepted_us, alert_id) WHERE outcome <> 4;
CREATE INDEX alerts_by_label ON tocsin.alerts USING gin (labels jsonb_path_ops) WHERE labels <> '{}';

COMMIT;
