-- Deploy tocsin:partitions to pg
-- requires: alerts
-- requires: webhooks
BEGIN;

-- The lowest id of a millisecond: its 48 bits, followed by zeros.
CREATE FUNCTION tocsin.first_id(moment timestamptz) RETURNS uuid
  LANGUAGE sql STABLE STRICT AS $$
  SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Creates the partitions of the month (UTC) of `day` if they do not exist, and moves the rows of that month out of the
-- default partitions. ATTACH PARTITION, unlike CREATE TABLE ... PARTITION OF, does not block readers and writers of the
-- parent. Returns the number of partitions created. Idempotent; may be called concurrently.
CREATE FUNCTION tocsin.ensure_month(day date) RETURNS integer
  LANGUAGE plpgsql AS $$
DECLARE
  first   date := date_trunc('month', day)::date;
  low     uuid := tocsin.first_id(first::timestamp AT TIME ZONE 'UTC');
  high    uuid := tocsin.first_id((first + interval '1 month') AT TIME ZONE 'UTC');
  parent  text;
  key     text;
  child   text;
  created integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('tocsin.ensure_month'));
  FOR parent, key IN VALUES ('alerts', 'alert_id'), ('attempts', 'alert_id'), ('alert_events', 'alert_id'),
                            ('webhooks', 'partition_key') LOOP
    child := format('%s_%s', parent, to_char(first, 'YYYY_MM'));
    CONTINUE WHEN to_regclass('tocsin.' || child) IS NOT NULL;
    EXECUTE format('CREATE TABLE tocsin.%I (LIKE tocsin.%I INCLUDING ALL)', child, parent);
    EXECUTE format('ALTER TABLE tocsin.%I ADD CONSTRAINT month CHECK (%I >= %L AND %I < %L)', child, key, low, key, high);
    EXECUTE format('LOCK TABLE tocsin.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format(
      'WITH moved AS (DELETE FROM tocsin.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO tocsin.%I SELECT * FROM moved',
      parent || '_default', key, low, key, high, child);
    EXECUTE format('ALTER TABLE tocsin.%I ATTACH PARTITION tocsin.%I FOR VALUES FROM (%L) TO (%L)', parent, child, low, high);
    EXECUTE format('ALTER TABLE tocsin.%I DROP CONSTRAINT month', child);
    created := created + 1;
  END LOOP;
  RETURN created;
END
$$;

COMMIT;
