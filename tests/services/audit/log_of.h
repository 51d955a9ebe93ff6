// Records as the other services write them, at rising offsets of one partition per topic.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/uuid.h"
#include "common/domain/ids.h"
#include "common/domain/topics.h"
#include "common/ports/record_log.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::audit {

constexpr std::int64_t kAcceptedUs = 1'790'000'000'000'000;  // September 2026

inline std::string AlertIdOf(int number) {
  const auto time = std::chrono::sys_time<std::chrono::milliseconds>(
      std::chrono::milliseconds(kAcceptedUs / 1'000));
  std::string random(10, '\0');
  for (size_t i = 0; i < 4; ++i) random[i + 4] = static_cast<char>(number >> (8 * i) & 0xff);
  return MakeUuidV7(time, random);
}

class LogOf {
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
    v1::WorkRecord work;
    work.mutable_try_()->set_alert_id(alert_id);
    work.mutable_try_()->set_step(1);
    work.mutable_try_()->set_try_(1);
    work.set_kind(v1::WORK_KIND_TRY);
    work.set_client_id(client);
    work.set_class_(v1::ALERT_CLASS_HIGH);
    work.set_channel(v1::CHANNEL_SMS);
    work.set_accepted_time_us(kAcceptedUs);
    work.set_not_after_us(kAcceptedUs + 3'600'000'000);
    work.mutable_recipient()->set_token(std::string(32, 't'));
    work.mutable_recipient()->set_token_version(1);
    work.mutable_recipient()->set_last_four("0123");
    work.mutable_recipient()->set_country("CA");
    work.mutable_key()->set_dek_id("dek:" + alert_id.substr(0, 12) + alert_id.substr(24));
    work.mutable_key()->set_kek_alias("local");
    work.mutable_key()->set_kek_version(1);
    work.mutable_key()->set_wrapped(std::string(60, 'w'));
    (*work.mutable_labels())["ward \"7\""] = "a\\b";
    work.mutable_acceptance();
    return Put(topics.Lane(v1::CHANNEL_SMS, v1::ALERT_CLASS_HIGH), work.SerializeAsString(),
               {{std::string(kHeaderAccepts), client}});
  }

  IncomingRecord Changed(const std::string& alert_id, v1::TryStatus status, int seconds,
                         const std::string& sid = {}, const std::string& reason = {}, int code = 0,
                         std::uint32_t next_try = 0) {
    v1::Event event;
    event.mutable_try_()->set_alert_id(alert_id);
    event.mutable_try_()->set_step(1);
    event.mutable_try_()->set_try_(1);
    event.set_event_id(EventId(event.try_(), v1::TryStatus_Name(status)));
    event.set_client_id("hospital");
    event.set_class_(v1::ALERT_CLASS_HIGH);
    event.set_channel(v1::CHANNEL_SMS);
    event.set_time_us(kAcceptedUs + seconds * 1'000'000LL);
    event.mutable_recipient()->set_token(std::string(32, 't'));
    event.mutable_recipient()->set_last_four("0123");
    event.mutable_try_changed()->set_status(status);
    event.mutable_try_changed()->set_reason(reason);
    event.mutable_try_changed()->set_provider_code(code);
    event.mutable_try_changed()->set_provider_sid(sid);
    event.mutable_try_changed()->set_sender("main");
    event.mutable_try_changed()->set_next_try(next_try);
    return Put(topics.Events(), event.SerializeAsString());
  }

  // Without an alert's id it is a callback that names no try.
  IncomingRecord Callback(const std::string& alert_id, const std::string& sid,
                          const std::string& word, int seconds, int code = 0) {
    v1::WebhookRecord webhook;
    webhook.set_webhook_id(MakeUuidV5(sid + word));
    webhook.set_kind(v1::WEBHOOK_KIND_SMS_STATUS);
    webhook.set_received_time_us(kAcceptedUs + seconds * 1'000'000LL);
    if (!alert_id.empty()) {
      webhook.mutable_try_()->set_alert_id(alert_id);
      webhook.mutable_try_()->set_step(1);
      webhook.mutable_try_()->set_try_(1);
    }
    webhook.set_provider_sid(sid);
    webhook.set_account_sid("AC1");
    webhook.set_provider_status(word);
    webhook.set_provider_code(code);
    webhook.mutable_form()->set_dek_id(sid + word);
    webhook.mutable_form()->set_ciphertext("sealed");
    webhook.mutable_key()->set_dek_id(sid + word);
    webhook.mutable_key()->set_wrapped("wrapped");
    return Put(topics.Webhooks(), webhook.SerializeAsString());
  }

  Topics topics;

 private:
  std::map<std::string, std::int64_t> next_;
};

}  // namespace tocsin::audit
