-- Verify tocsin:positions on pg
BEGIN;

SELECT cluster_id, topic, partition, next_offset FROM tocsin.positions WHERE false;
SELECT cluster_id, topic, partition, record_offset, reason, bytes, value, seen FROM tocsin.unparsed WHERE false;

ROLLBACK;
