-- Deploy tocsin:webhooks to pg
-- requires: schema
BEGIN;

-- Requests from Twilio: what processing needs in the clear, and the encrypted raw body.
CREATE TABLE tocsin.webhooks (
  partition_key    uuid     NOT NULL,  -- the alert's id; without an attempt: the first id of the month of receipt
  webhook_id       uuid     NOT NULL,
  kind             smallint NOT NULL,  -- records.v1.WebhookKind
  receive_time_us  bigint   NOT NULL,
  step             integer  NOT NULL,
  attempt          integer  NOT NULL,
  provider_sid     text     NOT NULL,
  account_sid      text     NOT NULL,
  provider_status  text     NOT NULL,
  status           smallint NOT NULL,  -- v1.AttemptStatus
  provider_code    integer  NOT NULL,
  sequence_number  integer  NOT NULL,  -- -1 if absent
  signed_by        smallint NOT NULL,  -- records.v1.SigningToken
  token            bytea,              -- of the other party
  last_four        text     NOT NULL,
  region_code      text     NOT NULL,
  answered_by      smallint NOT NULL,  -- records.v1.AnsweredBy
  duration_seconds integer  NOT NULL,  -- -1 if absent
  segment_count    integer  NOT NULL,
  opt_out_type     text     NOT NULL,
  dek_id           bytea,
  sealed_schema    integer  NOT NULL,
  nonce            bytea,
  raw_body         bytea,              -- AES-256-GCM with its tag at the end
  PRIMARY KEY (partition_key, webhook_id)
) PARTITION BY RANGE (partition_key);
CREATE TABLE tocsin.webhooks_default PARTITION OF tocsin.webhooks DEFAULT;
CREATE INDEX webhooks_by_sid ON tocsin.webhooks (provider_sid);

-- Callbacks that name no attempt. They wait here until an event contains their SID.
CREATE TABLE tocsin.unmatched_callbacks (
  webhook_id   uuid        NOT NULL PRIMARY KEY,
  provider_sid text        NOT NULL,
  create_time  timestamptz NOT NULL DEFAULT now(),
  record       bytea       NOT NULL  -- records.v1.WebhookRecord without raw_body and key
);
CREATE INDEX unmatched_callbacks_by_sid ON tocsin.unmatched_callbacks (provider_sid);
CREATE INDEX unmatched_callbacks_by_age ON tocsin.unmatched_callbacks (create_time);

-- Wrapped data keys, in a table of their own: a recipient is erased by deleting the keys of its token.
CREATE TABLE tocsin.wrapped_keys (
  dek_id      bytea   NOT NULL PRIMARY KEY,
  token       bytea,
  kek_alias   text    NOT NULL,
  kek_version integer NOT NULL,
  wrapped     bytea   NOT NULL
);
CREATE INDEX wrapped_keys_by_token ON tocsin.wrapped_keys (token) WHERE token IS NOT NULL;

COMMIT;
