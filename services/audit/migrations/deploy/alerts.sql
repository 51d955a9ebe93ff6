-- Deploy tocsin:alerts to pg
-- requires: schema
BEGIN;

-- An id begins with 48 bits of UTC milliseconds, and PostgreSQL compares UUIDs byte by byte. The id is therefore the
-- partition key: a month is a range of ids, and unique indexes need no additional column.
CREATE TABLE tocsin.alerts (
  alert_id       uuid     NOT NULL PRIMARY KEY,
  client_id      text,               -- NULL until a record with it was projected
  priority       smallint,           -- v1.Priority
  channel        smallint,           -- v1.Channel of the first step
  token          bytea,              -- of the recipient
  token_version  integer,
  last_four      text,
  region_code    text,
  labels         jsonb    NOT NULL DEFAULT '{}',
  create_time_us bigint,             -- NULL until the acceptance was projected
  expire_time_us bigint,
  send_time_us   bigint,
  state          smallint NOT NULL,  -- v1.AlertState
  reason         text     NOT NULL DEFAULT '',
  update_time_us bigint   NOT NULL,
  end_time_us    bigint,             -- NULL until the state is final
  revision       bigint   NOT NULL DEFAULT 1
) PARTITION BY RANGE (alert_id);
CREATE TABLE tocsin.alerts_default PARTITION OF tocsin.alerts DEFAULT;
CREATE INDEX alerts_by_client ON tocsin.alerts (client_id, alert_id);
CREATE INDEX alerts_by_token ON tocsin.alerts (token);

CREATE TABLE tocsin.attempts (
  alert_id       uuid     NOT NULL,
  step           integer  NOT NULL,
  attempt        integer  NOT NULL,
  status         smallint NOT NULL,  -- v1.AttemptStatus
  reason         text     NOT NULL DEFAULT '',
  provider_code  integer  NOT NULL DEFAULT 0,
  provider_sid   text,
  sender_id      text     NOT NULL DEFAULT '',
  segment_count  integer  NOT NULL DEFAULT 0,
  start_time_us  bigint,             -- of the POST; NULL if none was started
  update_time_us bigint   NOT NULL,
  price_micros   bigint,
  currency_code  text,
  was_in_doubt   boolean  NOT NULL DEFAULT false,
  PRIMARY KEY (alert_id, step, attempt)
) PARTITION BY RANGE (alert_id);
CREATE TABLE tocsin.attempts_default PARTITION OF tocsin.attempts DEFAULT;
CREATE INDEX attempts_by_sid ON tocsin.attempts (provider_sid) WHERE provider_sid IS NOT NULL;

-- What happened. Alerts and attempts are derived from these rows alone. Rows are inserted and never changed.
CREATE TABLE tocsin.alert_events (
  alert_id               uuid     NOT NULL,
  event_id               uuid     NOT NULL,
  kind                   smallint NOT NULL,  -- tocsin::AlertEventKind
  step                   integer  NOT NULL,
  attempt                integer  NOT NULL,
  event_time_us          bigint   NOT NULL,
  status                 smallint NOT NULL,  -- v1.AttemptStatus
  reason                 text     NOT NULL,
  provider_code          integer  NOT NULL,
  error_class            smallint NOT NULL,  -- records.v1.ProviderErrorClass
  provider_sid           text     NOT NULL,
  sender_id              text     NOT NULL,
  segment_count          integer  NOT NULL,
  next_attempt           integer  NOT NULL,
  last                   boolean  NOT NULL,
  note                   text     NOT NULL,
  acknowledgement_method smallint NOT NULL,  -- records.v1.AcknowledgementMethod
  actor_id               text     NOT NULL,
  cancel_outcome         smallint NOT NULL,  -- v1.CancelOutcome
  webhook_kind           smallint NOT NULL,  -- records.v1.WebhookKind
  provider_status        text     NOT NULL,
  answered_by            smallint NOT NULL,  -- records.v1.AnsweredBy
  duration_seconds       integer  NOT NULL,
  price_micros           bigint,
  currency_code          text     NOT NULL,
  PRIMARY KEY (alert_id, event_id)
) PARTITION BY RANGE (alert_id);
CREATE TABLE tocsin.alert_events_default PARTITION OF tocsin.alert_events DEFAULT;

COMMIT;
