-- Verify tocsin:indexes on pg
BEGIN;

SELECT outcome FROM tocsin.alerts WHERE false;
SELECT 1 / (count(*) / 6) FROM pg_catalog.pg_class
 WHERE relname IN ('alerts_by_client', 'alerts_by_token', 'alerts_in_progress', 'alerts_without_end',
                   'alerts_not_delivered', 'alerts_by_label');

ROLLBACK;
