-- Deploy tocsin:plans to pg
-- requires: alerts
BEGIN;

-- The plan of an alert: records.v1.Plan as JSON, without what is encrypted. NULL without a plan.
ALTER TABLE tocsin.alerts ADD COLUMN plan jsonb;

-- The person of the plan who acknowledged.
ALTER TABLE tocsin.alert_events ADD COLUMN person text NOT NULL DEFAULT '';

COMMIT;
