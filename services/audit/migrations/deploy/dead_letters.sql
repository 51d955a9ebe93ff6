-- Deploy tocsin:dead_letters to pg
-- requires: schema
BEGIN;

-- Attempts that failed and are not retried. Rows stay after they were redriven or discarded.
CREATE TABLE tocsin.dead_letters (
  alert_id       uuid     NOT NULL,
  step           integer  NOT NULL,
  attempt        integer  NOT NULL,
  client_id      text     NOT NULL,
  channel        smallint NOT NULL,            -- v1.Channel
  reason         text     NOT NULL,
  provider_code  integer  NOT NULL,
  create_time_us bigint   NOT NULL,            -- when it was given up
  topic          text     NOT NULL,            -- position of its record
  partition      integer  NOT NULL,
  record_offset  bigint   NOT NULL,
  traceparent    text     NOT NULL,            -- of its record; empty for none
  work           bytea    NOT NULL,            -- records.v1.WorkRecord, its content encrypted
  state          smallint NOT NULL DEFAULT 1,  -- v1.DeadLetterState
  next_attempt   integer,                      -- if redriven: the number of the new attempt
  forced         boolean  NOT NULL DEFAULT false,
  close_time_us  bigint,
  actor_id       text     NOT NULL DEFAULT '',
  discard_reason text     NOT NULL DEFAULT '',
  PRIMARY KEY (alert_id, step, attempt)
);
CREATE INDEX dead_letters_by_state ON tocsin.dead_letters (state, create_time_us, alert_id, step, attempt);

COMMIT;
