-- Deploy tocsin:dead_letter_indexes to pg
-- requires: dead_letters
BEGIN;

-- Lists by channel, by reason or by both, even if matches are rare among the dead letters of a state. There are few
-- channels, so a list by reason is the union of one list for each channel.
CREATE INDEX dead_letters_by_channel ON tocsin.dead_letters (state, channel, create_time_us, alert_id, step, attempt);
CREATE INDEX dead_letters_by_reason
  ON tocsin.dead_letters (state, reason, channel, create_time_us, alert_id, step, attempt);

COMMIT;
