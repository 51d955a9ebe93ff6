-- Verify tocsin:schema on pg
SELECT pg_catalog.has_schema_privilege('tocsin', 'usage');
SELECT 1 / count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'tocsin';
