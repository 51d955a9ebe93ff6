-- Deploy tocsin:positions to pg
-- requires: schema
BEGIN;

-- The next offset of each partition. Moved by compare-and-set in the transaction that stores the records, so that
-- only one of two processes with the same partition can commit.
CREATE TABLE tocsin.positions (
  cluster_id  text    NOT NULL,  -- Kafka's: an offset has no meaning in another cluster
  topic       text    NOT NULL,
  partition   integer NOT NULL,
  next_offset bigint  NOT NULL,
  PRIMARY KEY (cluster_id, topic, partition)
);

-- Records that could not be parsed, for an operator. They never block the records that follow.
CREATE TABLE tocsin.unparsed (
  cluster_id    text        NOT NULL,
  topic         text        NOT NULL,
  partition     integer     NOT NULL,
  record_offset bigint      NOT NULL,
  reason        text        NOT NULL,
  value_length  bigint      NOT NULL,  -- bytes of the whole value
  value         bytea       NOT NULL,  -- its first 64 KiB
  create_time   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cluster_id, topic, partition, record_offset)
);

COMMIT;
