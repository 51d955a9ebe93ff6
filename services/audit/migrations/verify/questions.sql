-- Verify tocsin:questions on pg
BEGIN;

SELECT outcome FROM tocsin.alerts WHERE false;
SELECT 1 / (count(*) / 5) FROM pg_catalog.pg_class
 WHERE relname IN ('alerts_by_client', 'alerts_by_token', 'alerts_under_way', 'alerts_in_trouble', 'alerts_by_label');

ROLLBACK;
