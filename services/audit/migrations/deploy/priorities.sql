-- Deploy tocsin:priorities to pg
-- requires: indexes
BEGIN;

-- Lists by priority, by channel or by both, even if matches are rare among a client's alerts. One index serves all
-- three: there are few priorities and channels, so a list without one of them is the union of one list for each value.
-- A second index would cost every alert one more entry.
CREATE INDEX alerts_by_priority ON tocsin.alerts (client_id, priority, channel, create_time_us, alert_id)
 WHERE create_time_us IS NOT NULL;

COMMIT;
