-- Verify tocsin:positions on pg
BEGIN;

SELECT cluster_id, topic, partition, next_offset FROM tocsin.positions WHERE false;
SELECT cluster_id, topic, partition, record_offset, reason, value_length, value, create_time
  FROM tocsin.unparsed WHERE false;

ROLLBACK;
