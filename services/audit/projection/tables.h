// The tables that the projection writes: their columns, and how the members of a row map to them.
// The migrations define the same columns; TablesTest compares the two.
#pragma once

#include <array>
#include <string>

#include "services/audit/projection/rows.h"
#include "services/audit/projection/sql_table.h"

namespace tocsin::audit {

extern const Table<AlertRow> kAlerts;
extern const Table<AttemptRow> kAttempts;
extern const Table<AlertEventRow> kAlertEvents;
extern const Table<records::v1::WebhookRecord> kWebhooks;
extern const Table<UnmatchedCallbackRow> kUnmatchedCallbacks;
extern const Table<WrappedKeyRow> kWrappedKeys;
extern const Table<UnparsedRow> kUnparsed;
extern const Table<DeadLetterRow> kDeadLetters;

// The first column of kWebhooks: the alert's id, else the first id of the month of receipt. A
// webhook is in the same partition as its alert, or in that of its month.
std::string PartitionKeyOf(const records::v1::WebhookRecord& webhook);

}  // namespace tocsin::audit
