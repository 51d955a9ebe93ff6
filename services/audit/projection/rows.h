// Rows of the tables as C++ values. tables.h maps them to columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/domain/alert/alert_projection.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/admin_service.pb.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::audit {

// What records state about an alert as a whole. Empty strings and zeros: not stated yet.
struct AlertTerms {
  std::string client_id;
  v1::Priority priority = v1::PRIORITY_UNSPECIFIED;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  std::string token;  // of the recipient
  std::int32_t token_version = 0;
  std::string last_four;
  std::string region_code;
  std::string labels_json = "{}";
  std::optional<std::int64_t> create_time_us;  // set by the acceptance alone
  std::int64_t expire_time_us = 0;
  std::int64_t send_time_us = 0;
  std::string plan_json;  // records.v1.Plan without what is encrypted; empty without a plan

  bool accepted() const { return create_time_us.has_value(); }
};

struct AlertRow {
  std::string alert_id;
  AlertTerms terms;
  v1::AlertState state = v1::ALERT_STATE_PENDING;
  std::string reason;
  std::int64_t update_time_us = 0;
  std::optional<std::int64_t> end_time_us;               // set if the state is final
  v1::AlertState outcome = v1::ALERT_STATE_UNSPECIFIED;  // the state if it is final
  std::int64_t revision = 0;  // set by PostgreSQL: the microseconds of the last change
};

struct AttemptRow {
  std::string alert_id;
  std::int32_t step = 0;
  std::int32_t attempt = 0;
  v1::AttemptStatus status = v1::ATTEMPT_STATUS_UNSPECIFIED;
  std::string reason;
  std::int32_t provider_code = 0;
  std::string provider_sid;
  std::string sender_id;
  std::int32_t segment_count = 0;
  std::optional<std::int64_t> start_time_us;
  std::int64_t update_time_us = 0;
  std::optional<std::int64_t> price_micros;
  std::string currency_code;
  bool was_in_doubt = false;
};

struct AlertEventRow {
  std::string alert_id;
  AlertEvent event;
};

// A callback that names no attempt.
struct UnmatchedCallbackRow {
  std::string webhook_id;
  std::string provider_sid;
  std::string record;  // WebhookRecord without raw_body and key
};

struct WrappedKeyRow {
  std::string dek_id;
  std::string token;  // of the recipient it belongs to; may be empty
  std::string kek_alias;
  std::int32_t kek_version = 0;
  std::string wrapped;
};

// A record that could not be parsed.
struct UnparsedRow {
  std::string cluster_id;  // set by Projection
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t record_offset = 0;
  std::string reason;  // free of the record's content
  std::int64_t value_length = 0;
  std::string value;  // the first kUnparsedBytes
};

struct DeadLetterRow {
  std::string alert_id;
  std::int32_t step = 0;
  std::int32_t attempt = 0;
  std::string client_id;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  std::string reason;
  std::int32_t provider_code = 0;
  std::int64_t create_time_us = 0;
  std::string topic;  // position of the dead letter's record
  std::int32_t partition = 0;
  std::int64_t record_offset = 0;
  std::string traceparent;
  std::string work;  // WorkRecord
  v1::DeadLetterState state = v1::DEAD_LETTER_STATE_OPEN;
  std::int32_t next_attempt = 0;  // if redriven
  bool forced = false;
  std::optional<std::int64_t> close_time_us;
  std::string actor_id;
  std::string discard_reason;
};

}  // namespace tocsin::audit
