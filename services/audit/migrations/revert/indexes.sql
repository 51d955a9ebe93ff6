-- Revert tocsin:indexes from pg
BEGIN;

DROP INDEX tocsin.alerts_by_label;
DROP INDEX tocsin.alerts_not_delivered;
DROP INDEX tocsin.alerts_without_end;
DROP INDEX tocsin.alerts_in_progress;
DROP INDEX tocsin.alerts_by_token;
DROP INDEX tocsin.alerts_by_client;
CREATE INDEX alerts_by_client ON tocsin.alerts (client_id, alert_id);
CREATE INDEX alerts_by_token ON tocsin.alerts (token);
ALTER TABLE tocsin.alerts DROP COLUMN outcome;

COMMIT;
