-- Deploy tocsin:revisions to pg
-- requires: alerts
BEGIN;

-- The revision of an alert is the time of its last change. If PostgreSQL loses commits, the same records are projected
-- again, perhaps in other batches and in another order: a count of changes would give the final state a number that a
-- client has seen with another state. Revisions that were counted are lower and stay.
ALTER TABLE tocsin.alerts ALTER COLUMN revision SET DEFAULT (extract(epoch FROM now()) * 1000000)::bigint;

COMMIT;
