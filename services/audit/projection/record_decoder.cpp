#include "services/audit/projection/record_decoder.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/domain/alert/request_rules.h"
#include "services/audit/projection/plan_terms.h"
#include "services/audit/projection/tables.h"

namespace tocsin::audit {
namespace {

// Limits far above what Tocsin writes.
constexpr size_t kNameLimit = 128;  // ids of clients and senders, reasons, SIDs, Twilio's statuses
constexpr size_t kNoteLimit = 512;
constexpr size_t kRawBodyLimit = 1 << 20;

tl::unexpected<Error> Invalid(const char* reason) {
  return Fail(ErrorCode::kDataCorrupted, reason);
}

Status CheckAttempt(const v1::AttemptRef& attempt) {
  const std::string& id = attempt.alert_id();
  // Ids are compared as text, and PostgreSQL returns lower case.
  if (!TimeOfUuid(id) || id.find_first_of("ABCDEF") != std::string::npos)
    return Invalid("alert_id is not a UUID of version 7 or 8 in lower case");
  if (attempt.step() < 0 || attempt.attempt() < 0) return Invalid("step or attempt is negative");
  return {};
}

Status CheckRecipient(const records::v1::RecipientRef& recipient) {
  if (recipient.token().size() > 64 || recipient.last_four().size() > 8 ||
      recipient.region_code().size() > 8)
    return Invalid("recipient too long");
  return {};
}

Status CheckKey(const records::v1::WrappedKey& key) {
  if (key.dek_id().size() > 64 || key.kek_alias().size() > kNameLimit ||
      key.wrapped().size() > 1024)
    return Invalid("wrapped key too long");
  return {};
}

Status CheckNames(std::initializer_list<const std::string*> names) {
  for (const std::string* name : names)
    if (name->size() > kNameLimit) return Invalid("text too long");
  return {};
}

Status CheckAlertEvent(const AlertEvent& event) {
  if (!IsUuid(event.id)) return Invalid("event_id is not a UUID");
  if (!v1::AttemptStatus_IsValid(event.status)) return Invalid("unknown status");
  if (event.note.size() > kNoteLimit) return Invalid("text too long");
  return CheckNames({&event.reason, &event.provider_sid, &event.sender_id, &event.actor_id,
                     &event.provider_status, &event.currency, &event.person});
}

void AddKey(const records::v1::WrappedKey& key, const std::string& token, Batch& batch) {
  if (key.dek_id().empty()) return;
  batch.keys.try_emplace(key.dek_id(), WrappedKeyRow{key.dek_id(), token, key.kek_alias(),
                                                     key.kek_version(), key.wrapped()});
}

void SetRecipient(const records::v1::RecipientRef& recipient, AlertTerms& terms) {
  terms.token = recipient.token();
  terms.token_version = recipient.token_version();
  terms.last_four = recipient.last_four();
  terms.region_code = recipient.region_code();
}

Status CheckPlan(const records::v1::Plan& plan) {
  if (plan.targets_size() > kMaxPlanTargets) return Invalid("plan too long");
  for (const records::v1::PlannedTarget& target : plan.targets()) {
    TOCSIN_CHECK_OK(CheckNames({&target.person()}));
    TOCSIN_CHECK_OK(CheckRecipient(target.recipient()));
    TOCSIN_CHECK_OK(CheckKey(target.key()));
  }
  return {};
}

Status AddAcceptance(const IncomingRecord& record, Batch& batch) {
  records::v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return Invalid("not a WorkRecord");
  TOCSIN_CHECK_OK(CheckAttempt(work.attempt()));
  TOCSIN_CHECK_OK(CheckRecipient(work.recipient()));
  TOCSIN_CHECK_OK(CheckKey(work.key()));
  TOCSIN_CHECK_OK(CheckNames({&work.client_id()}));
  TOCSIN_CHECK_OK(CheckPlan(work.plan()));
  if (work.client_id().empty()) return Invalid("client_id is empty");
  AlertTerms terms;
  terms.client_id = work.client_id();
  terms.priority = work.priority();
  terms.channel = work.channel();
  SetRecipient(work.recipient(), terms);
  terms.labels_json = LabelsJson(work.labels());
  terms.create_time_us = work.create_time_us();
  terms.expire_time_us = work.expire_time_us();
  terms.send_time_us = work.send_time_us();
  terms.plan_json = PlanJson(work);
  AddKey(work.key(), work.recipient().token(), batch);
  for (const records::v1::PlannedTarget& target : work.plan().targets())
    AddKey(target.key(), target.recipient().token(), batch);
  Merge(terms, batch.alerts[work.attempt().alert_id()]);
  return {};
}

Status AddEvent(const IncomingRecord& record, Batch& batch) {
  records::v1::Event event;
  if (!event.ParseFromString(record.value)) return Invalid("not an Event");
  const std::optional<AlertEvent> alert_event = AlertEventOf(event);
  if (!alert_event) return {};  // an admin action, or a fact of a later version
  TOCSIN_CHECK_OK(CheckAttempt(event.attempt()));
  TOCSIN_CHECK_OK(CheckAlertEvent(*alert_event));
  TOCSIN_CHECK_OK(CheckRecipient(event.recipient()));
  TOCSIN_CHECK_OK(CheckNames({&event.client_id()}));
  AlertTerms terms;
  terms.client_id = event.client_id();
  terms.priority = event.priority();
  if (event.attempt().step() == 1) {  // an alert has the channel and recipient of its first step
    terms.channel = event.channel();
    SetRecipient(event.recipient(), terms);
  }
  Merge(terms, batch.alerts[event.attempt().alert_id()]);
  batch.alert_events.push_back({event.attempt().alert_id(), *alert_event});
  return {};
}

Status AddWebhook(const IncomingRecord& record, Batch& batch) {
  records::v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record.value)) return Invalid("not a WebhookRecord");
  if (!IsUuid(webhook.webhook_id())) return Invalid("webhook_id is not a UUID");
  if (!webhook.attempt().alert_id().empty()) TOCSIN_CHECK_OK(CheckAttempt(webhook.attempt()));
  TOCSIN_CHECK_OK(CheckRecipient(webhook.recipient()));
  TOCSIN_CHECK_OK(CheckKey(webhook.key()));
  TOCSIN_CHECK_OK(CheckNames({&webhook.provider_sid(), &webhook.account_sid(),
                              &webhook.provider_status(), &webhook.opt_out_type()}));
  if (webhook.raw_body().ciphertext().size() > kRawBodyLimit) return Invalid("raw_body too long");
  if (const std::optional<AlertEvent> alert_event = AlertEventOf(webhook)) {
    TOCSIN_CHECK_OK(CheckAlertEvent(*alert_event));
    batch.alerts[webhook.attempt().alert_id()];
    batch.alert_events.push_back({webhook.attempt().alert_id(), *alert_event});
  }
  AddKey(webhook.key(), webhook.recipient().token(), batch);
  std::pair key(PartitionKeyOf(webhook), webhook.webhook_id());
  batch.webhooks.try_emplace(std::move(key), std::move(webhook));
  return {};
}

Status AddDeadLetter(const IncomingRecord& record, Batch& batch) {
  records::v1::DeadLetterRecord letter;
  if (!letter.ParseFromString(record.value)) return Invalid("not a DeadLetterRecord");
  if (!letter.has_work()) return Invalid("dead letter of a record that could not be parsed");
  const records::v1::WorkRecord& work = letter.work();
  TOCSIN_CHECK_OK(CheckAttempt(work.attempt()));
  const std::string traceparent = record.Header(kHeaderTraceparent).value_or("");
  TOCSIN_CHECK_OK(CheckNames({&work.client_id(), &letter.reason(), &traceparent}));
  batch.dead_letters.push_back({.alert_id = work.attempt().alert_id(),
                                .step = work.attempt().step(),
                                .attempt = work.attempt().attempt(),
                                .client_id = work.client_id(),
                                .channel = work.channel(),
                                .reason = letter.reason(),
                                .provider_code = letter.provider_code(),
                                .create_time_us = letter.time_us(),
                                .topic = record.position.topic(),
                                .partition = record.position.partition(),
                                .record_offset = record.position.offset(),
                                .traceparent = traceparent,
                                .work = work.SerializeAsString(),
                                .close_time_us = {},
                                .actor_id = {},
                                .discard_reason = {}});
  return {};
}

Status AddRecord(const IncomingRecord& record, TopicKind kind, Batch& batch) {
  switch (kind) {
    case TopicKind::kSmsLane:
    case TopicKind::kVoiceLane:
      // Of work records only acceptances matter: events report everything else.
      if (!record.Header(kHeaderAccepts)) return {};
      return AddAcceptance(record, batch);
    case TopicKind::kEvents: return AddEvent(record, batch);
    case TopicKind::kWebhooks: return AddWebhook(record, batch);
    case TopicKind::kSmsDead:
    case TopicKind::kVoiceDead: return AddDeadLetter(record, batch);
  }
  return {};
}

}  // namespace

std::string_view NameOf(TopicKind kind) { return kTopicKinds[static_cast<size_t>(kind)]; }

ProjectedTopics::ProjectedTopics(const Topics& topics) {
  for (std::string& lane : topics.Lanes(v1::CHANNEL_SMS))
    kinds_.emplace(std::move(lane), TopicKind::kSmsLane);
  for (std::string& lane : topics.Lanes(v1::CHANNEL_VOICE))
    kinds_.emplace(std::move(lane), TopicKind::kVoiceLane);
  kinds_.emplace(topics.Events(), TopicKind::kEvents);
  kinds_.emplace(topics.Webhooks(), TopicKind::kWebhooks);
  kinds_.emplace(topics.Dead(v1::CHANNEL_SMS), TopicKind::kSmsDead);
  kinds_.emplace(topics.Dead(v1::CHANNEL_VOICE), TopicKind::kVoiceDead);
}

std::optional<TopicKind> ProjectedTopics::KindOf(const std::string& topic) const {
  const auto found = kinds_.find(topic);
  if (found == kinds_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> ProjectedTopics::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

bool Merge(const AlertTerms& other, AlertTerms& terms) {
  if (other.accepted() && (!terms.accepted() || *other.create_time_us < *terms.create_time_us)) {
    terms = other;
    return true;
  }
  if (terms.accepted()) return false;
  bool changed = false;
  const auto fill = [&changed](auto& value, const auto& stated, auto empty) {
    if (value != empty || stated == empty) return;
    value = stated;
    changed = true;
  };
  fill(terms.client_id, other.client_id, std::string());
  fill(terms.priority, other.priority, v1::PRIORITY_UNSPECIFIED);
  fill(terms.channel, other.channel, v1::CHANNEL_UNSPECIFIED);
  if (terms.token.empty() && !other.token.empty()) {
    terms.token = other.token;
    terms.token_version = other.token_version;
    terms.last_four = other.last_four;
    terms.region_code = other.region_code;
    changed = true;
  }
  return changed;
}

std::string LabelsJson(const google::protobuf::Map<std::string, std::string>& labels) {
  const auto without_nul = [](std::string text) {
    std::erase(text, '\0');
    return text;
  };
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : labels) object[without_nul(name)] = without_nul(value);
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

UnparsedRow MakeUnparsedRow(const IncomingRecord& record, std::string reason) {
  return {.cluster_id = {},
          .topic = record.position.topic(),
          .partition = record.position.partition(),
          .record_offset = record.position.offset(),
          .reason = std::move(reason),
          .value_length = static_cast<std::int64_t>(record.value.size()),
          .value = record.value.substr(0, kUnparsedBytes)};
}

void SortUnique(std::vector<AlertEventRow>& rows) {
  const auto key = [](const AlertEventRow& row) { return std::tie(row.alert_id, row.event.id); };
  std::ranges::stable_sort(rows, {}, key);
  const auto equal = [&](const auto& left, const auto& right) { return key(left) == key(right); };
  rows.erase(std::unique(rows.begin(), rows.end(), equal), rows.end());
}

Batch DecodeRecords(std::span<const IncomingRecord> records, const ProjectedTopics& topics) {
  Batch batch;
  for (const IncomingRecord& record : records) {
    const records::v1::Position& at = record.position;
    const auto [entry, first] =
        batch.offsets.try_emplace({at.topic(), at.partition()}, at.offset(), at.offset() + 1);
    entry->second.second = std::max(entry->second.second, at.offset() + 1);
    const std::optional<TopicKind> kind = topics.KindOf(at.topic());
    if (!kind) continue;
    ++batch.counts[*kind];
    if (const Status added = AddRecord(record, *kind, batch); !added)
      batch.unparsed.push_back(MakeUnparsedRow(record, added.error().message));
  }
  SortUnique(batch.alert_events);
  return batch;
}

}  // namespace tocsin::audit
