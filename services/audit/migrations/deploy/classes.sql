-- Deploy tocsin:classes to pg
-- requires: questions
BEGIN;

-- Lists of a class, a channel or both, however rare it is among a client's alerts. One index serves all three: there
-- are few classes and channels, so a list without one of them is the union of lists with each. A second index would
-- cost every alert another entry.
CREATE INDEX alerts_by_class ON tocsin.alerts (client_id, class, channel, accepted_us, alert_id)
 WHERE accepted_us IS NOT NULL;

COMMIT;
