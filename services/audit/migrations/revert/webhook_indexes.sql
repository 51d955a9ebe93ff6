-- Revert tocsin:webhook_indexes from pg
BEGIN;

CREATE INDEX webhooks_by_sid ON tocsin.webhooks (provider_sid);

COMMIT;
