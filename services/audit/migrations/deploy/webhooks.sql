-- Deploy tocsin:webhooks to pg
-- requires: schema
BEGIN;

-- Twilio's requests: what is needed to work with them in the clear, the form sealed.
CREATE TABLE tocsin.webhooks (
  filed          uuid     NOT NULL,  -- the alert's id; without a try: the first id of the month it came in
  webhook_id     uuid     NOT NULL,
  kind           smallint NOT NULL,  -- v1.WebhookKind
  received_us    bigint   NOT NULL,
  step           integer  NOT NULL,
  try            integer  NOT NULL,
  provider_sid   text     NOT NULL,
  account_sid    text     NOT NULL,
  status         text     NOT NULL,  -- Twilio's word
  provider_code  integer  NOT NULL,
  sequence       integer  NOT NULL,
  signed_by      text     NOT NULL,
  token          bytea,              -- of the other party
  last_four      text     NOT NULL,
  country        text     NOT NULL,
  answered_by    text     NOT NULL,
  duration       integer  NOT NULL,  -- seconds; -1 when not said
  segments       integer  NOT NULL,
  opt_out_type   text     NOT NULL,
  dek_id         bytea,
  sealed_schema  integer  NOT NULL,
  nonce          bytea,
  form           bytea,              -- AES-256-GCM, its tag at the end
  PRIMARY KEY (filed, webhook_id)
) PARTITION BY RANGE (filed);
CREATE TABLE tocsin.webhooks_default PARTITION OF tocsin.webhooks DEFAULT;
CREATE INDEX webhooks_by_sid ON tocsin.webhooks (provider_sid);

-- Callbacks that name no try. They wait here until an event says whose SID it is.
CREATE TABLE tocsin.orphans (
  webhook_id   uuid   NOT NULL PRIMARY KEY,
  provider_sid text   NOT NULL,
  stored       timestamptz NOT NULL DEFAULT now(),
  record       bytea  NOT NULL  -- v1.WebhookRecord without form and key
);
CREATE INDEX orphans_by_sid ON tocsin.orphans (provider_sid);
CREATE INDEX orphans_by_age ON tocsin.orphans (stored);

-- Data keys, wrapped. A table of their own: to forget a person is to delete them by token.
CREATE TABLE tocsin.wrapped_keys (
  dek_id      bytea   NOT NULL PRIMARY KEY,
  token       bytea,
  kek_alias   text    NOT NULL,
  kek_version integer NOT NULL,
  wrapped     bytea   NOT NULL
);
CREATE INDEX wrapped_keys_by_token ON tocsin.wrapped_keys (token) WHERE token IS NOT NULL;

COMMIT;
