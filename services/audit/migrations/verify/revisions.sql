-- Verify tocsin:revisions on pg
BEGIN;

SELECT 1 / (count(*))::integer FROM pg_catalog.pg_attrdef
 WHERE adrelid = 'tocsin.alerts'::regclass AND pg_get_expr(adbin, adrelid) LIKE '%now()%';

ROLLBACK;
