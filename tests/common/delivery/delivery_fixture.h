// A delivery pipeline with fakes for all ports, and work records for it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/delivery/pipeline.h"
#include "common/domain/alert/ids.h"
#include "common/ports/sealed_content.h"
#include "tests/fakes/await.h"
#include "tests/fakes/claims.h"
#include "tests/fakes/delivery_probe.h"
#include "tests/fakes/log_history.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_scheduler.h"
#include "tests/fakes/pacer.h"
#include "tests/fakes/provider.h"
#include "tests/fakes/provider_list.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin {

class DeliveryFixture : public testing::Test {
 protected:
  static constexpr const char* kNumber = "+15145550123";
  static constexpr const char* kText = "Boiler 3 is too hot";

  // All senders may place calls.
  void EnableCalls() {
    RegistrySnapshot::Content content = TestRegistry();
    content.voice = ChannelMode::kLive;
    for (Sender& sender : content.senders) {
      sender.channels.insert(v1::CHANNEL_VOICE);
      sender.calls_per_second = 1'000;
    }
    registry.Swap(Built(content));
  }

  records::v1::WorkRecord AWork() {
    const Phone phone = *Phone::Parse(kNumber);
    records::v1::WorkRecord work;
    work.mutable_attempt()->set_alert_id(NewAlertId(clock.Now(), "0123456789"));
    work.mutable_attempt()->set_step(1);
    work.mutable_attempt()->set_attempt(1);
    work.set_kind(records::v1::WORK_KIND_ATTEMPT);
    work.set_client_id("demo");
    work.set_priority(v1::PRIORITY_NORMAL);
    work.set_channel(v1::CHANNEL_SMS);
    work.set_create_time_us(ToUnixMicros(clock.Now()));
    work.set_expire_time_us(ToUnixMicros(clock.Now() + std::chrono::hours(24)));
    *work.mutable_recipient() = vault.MakeRecipientRef(phone);
    work.set_body_digest(vault.DigestBody(kText).substr(0, 16));
    work.set_segment_count(1);
    work.set_sender_id("main");
    work.mutable_retry_budget()->set_attempts_used(1);
    work.mutable_retry_budget()->set_attempts_max(5);
    Seal(work);
    return work;
  }
  // To be repeated when the alert_id or the step changes.
  void Seal(records::v1::WorkRecord& work, const std::string& text = kText) {
    records::v1::Content content;
    content.set_to(kNumber);
    content.set_text(text);
    ASSERT_TRUE(SealContent(vault, content, work));
  }

  IncomingRecord RecordOf(const records::v1::WorkRecord& work) {
    IncomingRecord record;
    record.position.set_topic(topics.Lane(work.channel(), work.priority()));
    record.key = work.attempt().alert_id();
    record.value = work.SerializeAsString();
    record.headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                      {"accepts", "demo"}};
    record.append_time = clock.Now();
    return record;
  }
  Result<DeliveryResult> Deliver(const records::v1::WorkRecord& work) {
    const IncomingRecord record = RecordOf(work);
    return Await(pipeline.Deliver(record));
  }

  // Time passes, while the pipeline watches the store.
  void PassWatching(Micros time) {
    ManualScheduler scheduler(clock);
    TaskGroup watch;
    watch.Start(pipeline.WatchStore(scheduler));
    const WallTime end = clock.Now() + time;
    while (clock.Now() < end && scheduler.RunNext()) {
    }
  }

  std::vector<records::v1::Event> Events() const {
    return log.On<records::v1::Event>(topics.Events());
  }
  std::vector<v1::AttemptStatus> Statuses() const {
    std::vector<v1::AttemptStatus> statuses;
    for (const records::v1::Event& event : Events())
      statuses.push_back(event.attempt_changed().status());
    return statuses;
  }
  // Work records on delay topics.
  std::vector<records::v1::WorkRecord> Waiting() const {
    std::vector<records::v1::WorkRecord> waiting;
    for (const OutgoingRecord& record : log.Records())
      if (topics.TierOf(record.topic)) waiting.emplace_back().ParseFromString(record.value);
    return waiting;
  }
  std::vector<records::v1::DeadLetterRecord> Dead() const {
    return log.On<records::v1::DeadLetterRecord>(topics.Dead(v1::CHANNEL_SMS));
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  ConsentBook consents;
  FakeClaims claims{clock};
  FakePacer pacer{clock};
  FakeVault vault;
  ManualScheduler limiter_scheduler{clock};
  PostLimiter limiter{clock, limiter_scheduler, {}};
  FakeProvider provider;
  FakeProviderList list;
  FakeRecordLog log;
  LogHistory log_history{log};
  Topics topics;
  FakeDeliveryProbe probe;
  DeliveryPipeline pipeline{v1::CHANNEL_SMS,
                            {clock, registry, consents, claims, pacer, vault, limiter, provider,
                             list, log, log_history, topics, probe},
                            {.owner = "test", .retry = {}}};
};

}  // namespace tocsin
