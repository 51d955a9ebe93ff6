// A pipeline among fakes, and work for it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/delivery/pipeline.h"
#include "common/domain/ids.h"
#include "tests/fakes/carrier.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/log_history.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/pacer.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/taken_list.h"
#include "tests/fakes/vault.h"

namespace tocsin {

class DeliveryFixture : public testing::Test {
 protected:
  static constexpr const char* kNumber = "+15145550123";
  static constexpr const char* kText = "Boiler 3 is too hot";

  v1::WorkRecord AWork() {
    const Phone phone = *Phone::Parse(kNumber);
    v1::WorkRecord work;
    work.mutable_try_()->set_alert_id(NewAlertId(clock.Now(), "0123456789"));
    work.mutable_try_()->set_step(1);
    work.mutable_try_()->set_try_(1);
    work.set_kind(v1::WORK_KIND_TRY);
    work.set_client_id("demo");
    work.set_class_(v1::ALERT_CLASS_NORMAL);
    work.set_channel(v1::CHANNEL_SMS);
    work.set_accepted_time_us(ToUnixMicros(clock.Now()));
    work.set_not_after_us(ToUnixMicros(clock.Now() + std::chrono::hours(24)));
    *work.mutable_recipient() = vault.Refer(phone);
    work.set_body_digest(vault.DigestBody(kText).substr(0, 16));
    work.set_segments(1);
    work.set_sender("main");
    work.mutable_budget()->set_used(1);
    work.mutable_budget()->set_limit(5);
    v1::Content content;
    content.set_to(phone.E164());
    content.set_text(kText);
    const auto sealed =
        vault.Seal({"demo", work.try_().alert_id(), "content"}, content.SerializeAsString());
    *work.mutable_content() = sealed->sealed;
    *work.mutable_key() = sealed->key;
    return work;
  }

  IncomingRecord RecordOf(const v1::WorkRecord& work) {
    IncomingRecord record;
    record.position.set_topic(topics.Lane(work.channel(), work.class_()));
    record.key = work.try_().alert_id();
    record.value = work.SerializeAsString();
    record.headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                      {"accepts", "demo"}};
    record.append_time = clock.Now();
    return record;
  }
  Result<Passage> Deliver(const v1::WorkRecord& work) { return pipeline.Deliver(RecordOf(work)); }

  std::vector<v1::Event> Events() const { return log.On<v1::Event>(topics.Events()); }
  std::vector<v1::TryStatus> Statuses() const {
    std::vector<v1::TryStatus> statuses;
    for (const v1::Event& event : Events()) statuses.push_back(event.try_changed().status());
    return statuses;
  }
  // Everything on delay topics.
  std::vector<v1::WorkRecord> Waiting() const {
    std::vector<v1::WorkRecord> waiting;
    for (const OutgoingRecord& record : log.Records())
      if (topics.TierOf(record.topic)) waiting.emplace_back().ParseFromString(record.value);
    return waiting;
  }
  std::vector<v1::DeadRecord> Dead() const {
    return log.On<v1::DeadRecord>(topics.Dead(v1::CHANNEL_SMS));
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  ConsentBook consents;
  FakeClaims claims{clock};
  FakePacer pacer{clock};
  FakeVault vault;
  FakeCarrier carrier;
  FakeTakenList list;
  FakeRecordLog log;
  LogHistory log_history{log};
  Topics topics;
  DeliveryPipeline pipeline{
      v1::CHANNEL_SMS,
      {clock, registry, consents, claims, pacer, vault, carrier, list, log, log_history, topics},
      {.owner = "test", .retry = {}}};
};

}  // namespace tocsin
