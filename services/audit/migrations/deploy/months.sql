-- Deploy tocsin:months to pg
-- requires: alerts
-- requires: webhooks
BEGIN;

-- The lowest id of a millisecond: its 48 bits, the rest zero.
CREATE FUNCTION tocsin.first_id(moment timestamptz) RETURNS uuid
  LANGUAGE sql STABLE STRICT AS $$
  SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes sure that the month (UTC) of `day` has its partitions. Rows of that month that fell into the default
-- partition are moved. Attaching, unlike CREATE ... PARTITION OF, lets readers and writers go on. Gives the number of
-- partitions made; safe to call at any time, from several processes.
CREATE FUNCTION tocsin.ensure_month(day date) RETURNS integer
  LANGUAGE plpgsql AS $$
DECLARE
  first  date := date_trunc('month', day)::date;
  low    uuid := tocsin.first_id(first::timestamp AT TIME ZONE 'UTC');
  high   uuid := tocsin.first_id((first + interval '1 month') AT TIME ZONE 'UTC');
  parent text;
  key    text;
  child  text;
  made   integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('tocsin.ensure_month'));
  FOR parent, key IN VALUES ('alerts', 'alert_id'), ('tries', 'alert_id'), ('facts', 'alert_id'), ('webhooks', 'filed') LOOP
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
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;

COMMIT;
