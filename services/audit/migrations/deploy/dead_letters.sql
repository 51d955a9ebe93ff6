-- Deploy tocsin:dead_letters to pg
-- requires: schema
BEGIN;

-- Work that was given up, until somebody publishes its next try or closes it.
CREATE TABLE tocsin.dead_letters (
  alert_id      uuid     NOT NULL,
  step          integer  NOT NULL,
  try           integer  NOT NULL,
  client_id     text     NOT NULL,
  channel       smallint NOT NULL,            -- v1.Channel
  reason        text     NOT NULL,
  explanation   text     NOT NULL,
  dead_us       bigint   NOT NULL,            -- when it was given up
  topic         text     NOT NULL,            -- where its record stands
  partition     integer  NOT NULL,
  record_offset bigint   NOT NULL,
  work          bytea    NOT NULL,            -- v1.WorkRecord, sealed as it was
  state         smallint NOT NULL DEFAULT 0,  -- 0 open, 1 published again, 2 dropped
  next_try      integer,                      -- state 1: the try that was named then
  closed_us     bigint,
  closed_by     text,                         -- the client whose key it was
  closed_why    text,
  forced        boolean  NOT NULL DEFAULT false,
  PRIMARY KEY (alert_id, step, try)
);
CREATE INDEX dead_letters_open ON tocsin.dead_letters (dead_us, alert_id, step, try) WHERE state = 0;

COMMIT;
