-- Deploy tocsin:alerts to pg
-- requires: schema
BEGIN;

-- An id begins with 48 bits of UTC milliseconds, and PostgreSQL compares UUIDs byte by byte. So the id itself is
-- the partition key: a month is a range of ids, and every unique index holds the key without a column more.
CREATE TABLE tocsin.alerts (
  alert_id      uuid     NOT NULL PRIMARY KEY,
  client_id     text,               -- NULL until a record that names it was folded
  class         smallint,           -- v1.AlertClass
  channel       smallint,           -- v1.Channel of the first step
  state         smallint NOT NULL,  -- v1.AlertState
  reason        text     NOT NULL DEFAULT '',
  token         bytea,              -- of the recipient
  token_version integer,
  last_four     text,
  country       text,
  labels        jsonb    NOT NULL DEFAULT '{}',
  later_steps   smallint[] NOT NULL DEFAULT '{}',  -- what makes step 2, 3, ... needless: v1.StepCondition
  accepted_us   bigint,             -- NULL until the acceptance was folded
  not_after_us  bigint,
  send_at_us    bigint,
  updated_us    bigint   NOT NULL,
  ended_us      bigint,
  revision      bigint   NOT NULL DEFAULT 1
) PARTITION BY RANGE (alert_id);
CREATE TABLE tocsin.alerts_default PARTITION OF tocsin.alerts DEFAULT;
CREATE INDEX alerts_by_client ON tocsin.alerts (client_id, alert_id);
CREATE INDEX alerts_by_token ON tocsin.alerts (token);
CREATE INDEX alerts_without_end ON tocsin.alerts (not_after_us) WHERE ended_us IS NULL;

CREATE TABLE tocsin.tries (
  alert_id      uuid     NOT NULL,
  step          integer  NOT NULL,
  try           integer  NOT NULL,
  status        smallint NOT NULL,  -- v1.TryStatus
  reason        text     NOT NULL DEFAULT '',
  provider_code integer  NOT NULL DEFAULT 0,
  provider_sid  text,
  sender        text     NOT NULL DEFAULT '',
  segments      integer  NOT NULL DEFAULT 0,
  started_us    bigint,
  updated_us    bigint   NOT NULL,
  price_micros  bigint,
  currency      text,
  doubted       boolean  NOT NULL DEFAULT false,
  PRIMARY KEY (alert_id, step, try)
) PARTITION BY RANGE (alert_id);
CREATE TABLE tocsin.tries_default PARTITION OF tocsin.tries DEFAULT;
CREATE INDEX tries_by_sid ON tocsin.tries (provider_sid) WHERE provider_sid IS NOT NULL;

-- What happened, as it was told: alerts and tries are worked out from these rows alone.
CREATE TABLE tocsin.facts (
  alert_id      uuid     NOT NULL,
  event_id      uuid     NOT NULL,
  kind          smallint NOT NULL,  -- tocsin::FactKind
  step          integer  NOT NULL,
  try           integer  NOT NULL,
  time_us       bigint   NOT NULL,
  status        smallint NOT NULL,
  reason        text     NOT NULL,
  provider_code integer  NOT NULL,
  provider_sid  text     NOT NULL,
  sender        text     NOT NULL,
  segments      integer  NOT NULL,
  next_try      integer  NOT NULL,
  last          boolean  NOT NULL,
  note          text     NOT NULL,
  price_micros  bigint,
  currency      text     NOT NULL,
  PRIMARY KEY (alert_id, event_id)
) PARTITION BY RANGE (alert_id);
CREATE TABLE tocsin.facts_default PARTITION OF tocsin.facts DEFAULT;

COMMIT;
