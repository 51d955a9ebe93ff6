-- Deploy tocsin:positions to pg
-- requires: schema
BEGIN;

-- How far each partition is folded. Moved by compare-and-set in the transaction that stores what was folded, so
-- of two processes that hold one partition only one commits.
CREATE TABLE tocsin.positions (
  cluster_id  text    NOT NULL,  -- Kafka's: offsets of one cluster mean nothing in another
  topic       text    NOT NULL,
  partition   integer NOT NULL,
  next_offset bigint  NOT NULL,
  PRIMARY KEY (cluster_id, topic, partition)
);

-- Records that could not be read: kept for a person, never in the way of those behind them.
CREATE TABLE tocsin.unparsed (
  cluster_id    text    NOT NULL,
  topic         text    NOT NULL,
  partition     integer NOT NULL,
  record_offset bigint  NOT NULL,
  reason        text    NOT NULL,
  bytes         bigint  NOT NULL,  -- of the whole value
  value         bytea   NOT NULL,  -- its beginning, at most 64 KiB
  seen          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cluster_id, topic, partition, record_offset)
);

COMMIT;
