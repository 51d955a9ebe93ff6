#include "services/audit/intake.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

#include "common/base/uuid.h"

namespace tocsin::audit {
namespace {

// Longer than anything Tocsin writes; what is longer was not written by it.
constexpr size_t kNameLimit = 128;  // ids of clients and senders, reasons, SIDs, words of Twilio
constexpr size_t kNoteLimit = 512;
constexpr size_t kSealedLimit = 1 << 20;
constexpr int kStepLimit = 100;
constexpr std::uint32_t kCountLimit = std::numeric_limits<std::int32_t>::max();

// Why a record cannot be stored; empty when it can.
using Objection = std::string_view;

Objection CheckName(const v1::TryName& name) {
  if (!TimeOfUuid(name.alert_id())) return "alert_id is no UUID of version 7 or 8";
  if (name.step() > kCountLimit || name.try_() > kCountLimit) return "step or try out of range";
  return {};
}

Objection CheckRecipient(const v1::RecipientRef& recipient) {
  if (recipient.token().size() > 64 || recipient.last_four().size() > 8 ||
      recipient.country().size() > 8 || recipient.token_version() > kCountLimit)
    return "recipient out of bounds";
  return {};
}

Objection CheckKey(const v1::WrappedKey& key) {
  if (key.dek_id().size() > 64 || key.kek_alias().size() > kNameLimit ||
      key.wrapped().size() > 1024 || key.kek_version() > kCountLimit)
    return "wrapped key out of bounds";
  return {};
}

Objection CheckFact(const Fact& fact) {
  if (!IsUuid(fact.id)) return "event_id is no UUID";
  if (!v1::TryStatus_IsValid(fact.status)) return "unknown status";
  if (fact.segments > kCountLimit || fact.next_try > kCountLimit) return "count out of range";
  for (const std::string* text : {&fact.reason, &fact.provider_sid, &fact.sender, &fact.currency})
    if (text->size() > kNameLimit) return "text out of bounds";
  if (fact.note.size() > kNoteLimit) return "text out of bounds";
  return {};
}

void AddKey(const v1::WrappedKey& key, const std::string& token, Batch& batch) {
  if (!key.dek_id().empty()) batch.keys.try_emplace(key.dek_id(), WrappedKeyRow{key, token});
}

Objection AddAcceptance(const IncomingRecord& record, Batch& batch) {
  v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return "not a WorkRecord";
  if (const Objection no = CheckName(work.try_()); !no.empty()) return no;
  if (const Objection no = CheckRecipient(work.recipient()); !no.empty()) return no;
  if (const Objection no = CheckKey(work.key()); !no.empty()) return no;
  if (work.client_id().empty() || work.client_id().size() > kNameLimit) return "no client";
  if (work.plan_size() > kStepLimit) return "too many steps";
  AlertRow row;
  row.accepted = true;
  row.client_id = work.client_id();
  row.alert_class = static_cast<std::int16_t>(work.class_());
  row.channel = static_cast<std::int16_t>(work.channel());
  row.recipient = work.recipient();
  row.labels_json = LabelsJson(work.labels());
  for (const v1::PlannedStep& step : work.plan()) {
    if (const Objection no = CheckKey(step.key()); !no.empty()) return no;
    row.later_steps.push_back(std::min<std::uint32_t>(step.until(), 255));
    AddKey(step.key(), step.recipient().token(), batch);
  }
  row.accepted_us = work.accepted_time_us();
  row.not_after_us = work.not_after_us();
  row.send_at_us = work.send_at_us();
  AddKey(work.key(), work.recipient().token(), batch);
  Merge(row, batch.alerts[work.try_().alert_id()]);
  return {};
}

Objection AddEvent(const IncomingRecord& record, Batch& batch) {
  v1::Event event;
  if (!event.ParseFromString(record.value)) return "not an Event";
  const std::optional<Fact> fact = FactOf(event);
  if (!fact) return {};  // an act, or a fact of a later version: nothing of an alert
  if (const Objection no = CheckName(event.try_()); !no.empty()) return no;
  if (const Objection no = CheckFact(*fact); !no.empty()) return no;
  if (const Objection no = CheckRecipient(event.recipient()); !no.empty()) return no;
  if (event.client_id().size() > kNameLimit) return "text out of bounds";
  AlertRow row;
  row.client_id = event.client_id();
  row.alert_class = static_cast<std::int16_t>(event.class_());
  if (event.try_().step() == 1) {  // later steps may go elsewhere
    row.channel = static_cast<std::int16_t>(event.channel());
    row.recipient = event.recipient();
  }
  Merge(row, batch.alerts[event.try_().alert_id()]);
  batch.facts.push_back({event.try_().alert_id(), *fact});
  return {};
}

Objection AddWebhook(const IncomingRecord& record, Batch& batch) {
  v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record.value)) return "not a WebhookRecord";
  if (!IsUuid(webhook.webhook_id())) return "webhook_id is no UUID";
  const bool named = !webhook.try_().alert_id().empty();
  if (named)
    if (const Objection no = CheckName(webhook.try_()); !no.empty()) return no;
  if (const Objection no = CheckRecipient(webhook.recipient()); !no.empty()) return no;
  if (const Objection no = CheckKey(webhook.key()); !no.empty()) return no;
  for (const std::string* text :
       {&webhook.provider_sid(), &webhook.account_sid(), &webhook.provider_status(),
        &webhook.signed_by(), &webhook.answered_by(), &webhook.opt_out_type()})
    if (text->size() > kNameLimit) return "text out of bounds";
  if (webhook.form().ciphertext().size() > kSealedLimit || webhook.segments() > kCountLimit)
    return "form or count out of bounds";
  if (const std::optional<Fact> fact = FactOf(webhook)) {
    if (const Objection no = CheckFact(*fact); !no.empty()) return no;
    batch.alerts[webhook.try_().alert_id()];
    batch.facts.push_back({webhook.try_().alert_id(), *fact});
  }
  AddKey(webhook.key(), webhook.recipient().token(), batch);
  batch.webhooks.push_back(std::move(webhook));
  return {};
}

Objection AddDeadLetter(const IncomingRecord& record, Batch& batch) {
  v1::DeadRecord letter;
  if (!letter.ParseFromString(record.value)) return "not a DeadRecord";
  if (!letter.has_work()) return "a dead letter of a record that could not be read";
  if (const Objection no = CheckName(letter.work().try_()); !no.empty()) return no;
  if (letter.work().client_id().size() > kNameLimit || letter.reason().size() > kNameLimit ||
      letter.explanation().size() > kNoteLimit)
    return "text out of bounds";
  *letter.mutable_position() = record.position;
  batch.dead_letters.push_back(std::move(letter));
  return {};
}

Objection Add(const IncomingRecord& record, TopicKind kind, Batch& batch) {
  switch (kind) {
    case TopicKind::kSmsLane:
    case TopicKind::kVoiceLane:
      if (!record.Header(kHeaderAccepts)) return {};  // a retry, a step, a look: events tell of it
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

FoldedTopics::FoldedTopics(const Topics& topics) {
  for (std::string& lane : topics.Lanes(v1::CHANNEL_SMS))
    kinds_.emplace(std::move(lane), TopicKind::kSmsLane);
  for (std::string& lane : topics.Lanes(v1::CHANNEL_VOICE))
    kinds_.emplace(std::move(lane), TopicKind::kVoiceLane);
  kinds_.emplace(topics.Events(), TopicKind::kEvents);
  kinds_.emplace(topics.Webhooks(), TopicKind::kWebhooks);
  kinds_.emplace(topics.Dead(v1::CHANNEL_SMS), TopicKind::kSmsDead);
  kinds_.emplace(topics.Dead(v1::CHANNEL_VOICE), TopicKind::kVoiceDead);
}

std::optional<TopicKind> FoldedTopics::KindOf(const std::string& topic) const {
  const auto found = kinds_.find(topic);
  if (found == kinds_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> FoldedTopics::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds_) names.push_back(name);
  return names;
}

std::string LabelsJson(const google::protobuf::Map<std::string, std::string>& labels) {
  const auto clean = [](std::string text) {
    std::erase(text, '\0');
    return text;
  };
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : labels) object[clean(name)] = clean(value);
  return object.dump();
}

bool Merge(const AlertRow& other, AlertRow& into) {
  const bool earlier = other.accepted_us < into.accepted_us;
  if (other.accepted && (!into.accepted || earlier)) {
    into = other;
    return true;
  }
  if (into.accepted) return false;
  bool changed = false;
  const auto fill = [&changed](auto& held, const auto& said, bool missing, bool told) {
    if (!missing || !told) return;
    held = said;
    changed = true;
  };
  fill(into.client_id, other.client_id, into.client_id.empty(), !other.client_id.empty());
  fill(into.alert_class, other.alert_class, into.alert_class == 0, other.alert_class != 0);
  fill(into.channel, other.channel, into.channel == 0, other.channel != 0);
  fill(into.recipient, other.recipient, into.recipient.token().empty(),
       !other.recipient.token().empty());
  return changed;
}

Batch Sort(std::span<const IncomingRecord> records, const FoldedTopics& topics) {
  Batch batch;
  for (const IncomingRecord& record : records) {
    const v1::Position& at = record.position;
    const auto [entry, first] =
        batch.offsets.try_emplace({at.topic(), at.partition()}, at.offset(), at.offset() + 1);
    entry->second.second = std::max(entry->second.second, at.offset() + 1);
    const std::optional<TopicKind> kind = topics.KindOf(at.topic());
    if (!kind) continue;
    ++batch.counts[*kind];
    const Objection no = Add(record, *kind, batch);
    if (no.empty()) continue;
    batch.unparsed.push_back({at, std::string(no), record.value.substr(0, kUnparsedBytes),
                              static_cast<std::int64_t>(record.value.size())});
  }
  std::sort(batch.facts.begin(), batch.facts.end(), [](const AlertFact& a, const AlertFact& b) {
    return std::tie(a.alert_id, a.fact.id) < std::tie(b.alert_id, b.fact.id);
  });
  return batch;
}

}  // namespace tocsin::audit
