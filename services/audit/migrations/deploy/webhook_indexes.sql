-- Deploy tocsin:webhook_indexes to pg
-- requires: webhooks
BEGIN;

-- No query finds a webhook by its SID: the attempt has it, and its alert has the webhooks. As SIDs are random, each row
-- changed another page of this index.
DROP INDEX tocsin.webhooks_by_sid;

COMMIT;
