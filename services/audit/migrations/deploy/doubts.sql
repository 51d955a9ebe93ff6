-- Deploy tocsin:doubts to pg
-- requires: alerts
BEGIN;

-- What was ever in doubt (v1.TryStatus 3). Facts never change, so those without a doubt pay nothing for it.
CREATE INDEX facts_of_doubt ON tocsin.facts (alert_id, step, try) WHERE status = 3;

COMMIT;
