// Records as the other services write them, at increasing offsets of one partition per topic.
#pragma once

#include <map>
#include <string>

#include "common/base/uuid.h"
#include "common/domain/alert/ids.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"
#include "common/twilio/webhooks/status_words.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::audit {

constexpr std::int64_t kCreateTimeUs = 1'790'000'000'000'000;  // September 2026

inline std::string AlertIdOf(int number) {
  const auto time = std::chrono::sys_time<std::chrono::milliseconds>(
      std::chrono::milliseconds(kCreateTimeUs / 1'000));
  std::string random(10, '\0');
  for (size_t i = 0; i < 4; ++i) random[i + 4] = static_cast<char>(number >> (8 * i) & 0xff);
  return MakeUuidV7(time, random);
}

class RecordBuilder {
 public:
  IncomingRecord Put(const std::string& topic, std::string value, RecordHeaders headers = {}) {
    IncomingRecord record;
    record.position.set_topic(topic);
    record.position.set_partition(0);
    record.position.set_offset(next_[topic]++);
    record.value = std::move(value);
    record.headers = std::move(headers);
    return record;
  }

  IncomingRecord Accepted(const std::string& alert_id, const std::string& client = "hospital") {
    records::v1::WorkRecord work;
    *work.mutable_attempt() = AttemptOf(alert_id);
    work.set_kind(records::v1::WORK_KIND_ATTEMPT);
    work.set_client_id(client);
    work.set_priority(v1::PRIORITY_HIGH);
    work.set_channel(v1::CHANNEL_SMS);
    work.set_create_time_us(kCreateTimeUs);
    work.set_expire_time_us(kCreateTimeUs + 3'600'000'000);
    work.mutable_recipient()->set_token(std::string(32, 't'));
    work.mutable_recipient()->set_token_version(1);
    work.mutable_recipient()->set_last_four("0123");
    work.mutable_recipient()->set_region_code("CA");
    work.mutable_key()->set_dek_id("dek:" + alert_id.substr(0, 12) + alert_id.substr(24));
    work.mutable_key()->set_kek_alias("local");
    work.mutable_key()->set_kek_version(1);
    work.mutable_key()->set_wrapped(std::string(60, 'w'));
    (*work.mutable_labels())["ward \"7\""] = "a\\b";
    work.mutable_acceptance();
    return Put(topics.Lane(v1::CHANNEL_SMS, v1::PRIORITY_HIGH), work.SerializeAsString(),
               {{std::string(kHeaderAccepts), client}});
  }

  IncomingRecord Changed(const std::string& alert_id, v1::AttemptStatus status, int seconds,
                         const std::string& sid = {}, const std::string& reason = {}, int code = 0,
                         std::int32_t next_attempt = 0) {
    records::v1::Event event = EventOf(alert_id, "status/" + std::to_string(status), seconds);
    records::v1::AttemptChanged& changed = *event.mutable_attempt_changed();
    changed.set_status(status);
    changed.set_reason(reason);
    changed.set_provider_code(code);
    changed.set_provider_sid(sid);
    changed.set_sender_id("main");
    changed.set_next_attempt(next_attempt);
    return Put(topics.Events(), event.SerializeAsString());
  }

  IncomingRecord Cancelled(const std::string& alert_id, v1::CancelOutcome outcome, int seconds) {
    records::v1::Event event = OfAlert(alert_id, "cancel/" + std::to_string(outcome), seconds);
    event.mutable_cancel_requested()->set_outcome(outcome);
    return Put(topics.Events(), event.SerializeAsString());
  }

  IncomingRecord Acknowledged(const std::string& alert_id, const std::string& actor_id,
                              int seconds) {
    records::v1::Event event = OfAlert(alert_id, "acknowledged/" + actor_id, seconds);
    event.mutable_acknowledged()->set_method(v1::ACKNOWLEDGEMENT_METHOD_API);
    event.mutable_acknowledged()->set_actor_id(actor_id);
    return Put(topics.Events(), event.SerializeAsString());
  }

  IncomingRecord GoalMissed(const std::string& alert_id, int seconds) {
    records::v1::Event event = OfAlert(alert_id, "goal_missed", seconds);
    event.mutable_goal_missed();
    return Put(topics.Events(), event.SerializeAsString());
  }

  // A callback of an SMS with Twilio's `status`. Without an alert's id it names no attempt.
  IncomingRecord Callback(const std::string& alert_id, const std::string& sid,
                          const std::string& status, int seconds, int code = 0) {
    records::v1::WebhookRecord webhook;
    webhook.set_webhook_id(MakeUuidV5(sid + status));
    webhook.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
    webhook.set_receive_time_us(kCreateTimeUs + seconds * 1'000'000LL);
    if (!alert_id.empty()) *webhook.mutable_attempt() = AttemptOf(alert_id);
    webhook.set_provider_sid(sid);
    webhook.set_account_sid("AC1");
    webhook.set_provider_code(code);
    twilio::SetProviderStatus(webhook, status);
    webhook.mutable_raw_body()->set_dek_id(sid + status);
    webhook.mutable_raw_body()->set_ciphertext("sealed");
    webhook.mutable_key()->set_dek_id(sid + status);
    webhook.mutable_key()->set_wrapped("wrapped");
    return Put(topics.Webhooks(), webhook.SerializeAsString());
  }

  Topics topics;

 private:
  static v1::AttemptRef AttemptOf(const std::string& alert_id) {
    v1::AttemptRef attempt;
    attempt.set_alert_id(alert_id);
    attempt.set_step(1);
    attempt.set_attempt(1);
    return attempt;
  }

  static records::v1::Event EventOf(const std::string& alert_id, const std::string& seed,
                                    int seconds) {
    records::v1::Event event;
    *event.mutable_attempt() = AttemptOf(alert_id);
    event.set_event_id(EventId(event.attempt(), seed));
    event.set_client_id("hospital");
    event.set_priority(v1::PRIORITY_HIGH);
    event.set_channel(v1::CHANNEL_SMS);
    event.set_time_us(kCreateTimeUs + seconds * 1'000'000LL);
    event.mutable_recipient()->set_token(std::string(32, 't'));
    event.mutable_recipient()->set_last_four("0123");
    return event;
  }

  // An event of the alert as a whole.
  static records::v1::Event OfAlert(const std::string& alert_id, const std::string& seed,
                                    int seconds) {
    records::v1::Event event = EventOf(alert_id, seed, seconds);
    event.mutable_attempt()->clear_step();
    event.mutable_attempt()->clear_attempt();
    return event;
  }

  std::map<std::string, std::int64_t> next_;
};

}  // namespace tocsin::audit
