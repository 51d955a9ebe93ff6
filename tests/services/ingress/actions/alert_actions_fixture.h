// Tests of AlertActions on fakes of its ports.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "common/base/uuid.h"
#include "common/domain/alert/issued_id.h"
#include "common/domain/delivery/log_claim.h"
#include "services/ingress/actions/alert_actions.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class AlertActionsTest : public testing::Test {
 protected:
  AlertActionsTest() { Admit(alert_id, false); }

  void Admit(const std::string& id, bool emergency) {
    AdmitRequest request;
    request.alert_id = id;
    request.client_id = "demo";
    request.idempotency_digest = id;  // a key of its own
    request.nonce = "a nonce";
    request.create_time = clock.Now();
    request.emergency = emergency;
    admissions.Admit(request, [](const auto&) {});
  }
  // Without an idempotency key.
  std::string Issue(bool emergency = false) {
    return IssueAlertId({.create_time = clock.Now(),
                         .expire_time = clock.Now() + std::chrono::hours(24),
                         .emergency = emergency,
                         .client_id = "demo"},
                        "0123456789",
                        [this](std::string_view text) { return vault.DigestRequest(text); });
  }
  Result<v1::CancelResponse> Cancel(const std::string& client, const std::string& id) {
    v1::CancelRequest request;
    request.set_alert_id(id);
    std::promise<Result<v1::CancelResponse>> response;
    actions.Cancel(client, request, kTrace,
                   [&](auto result) { response.set_value(std::move(result)); });
    return response.get_future().get();
  }
  // Before everything that is published.
  void StartByLog(const std::string& id) {
    records::v1::Event event;
    event.mutable_attempt()->set_alert_id(id);
    event.mutable_attempt()->set_step(1);
    event.mutable_attempt()->set_attempt(1);
    event.mutable_attempt_changed()->set_status(v1::ATTEMPT_STATUS_SENDING);
    event.mutable_attempt_changed()->set_note(std::string(kStartedByLog));
    IncomingRecord record;
    record.position.set_topic(topics.Events());
    record.key = id;
    record.value = event.SerializeAsString();
    record.append_time = clock.Now();
    history.records.push_back(record);
  }
  std::vector<v1::CancelOutcome> CancelEvents() const {
    std::vector<v1::CancelOutcome> outcomes;
    for (const records::v1::Event& event : Events())
      outcomes.push_back(event.cancel_requested().outcome());
    return outcomes;
  }
  Result<v1::AcknowledgeResponse> Acknowledge(const std::string& actor_id) {
    v1::AcknowledgeRequest request;
    request.set_alert_id(alert_id);
    request.set_actor_id(actor_id);
    std::promise<Result<v1::AcknowledgeResponse>> response;
    actions.Acknowledge("demo", request, kTrace,
                        [&](auto result) { response.set_value(std::move(result)); });
    return response.get_future().get();
  }
  std::vector<records::v1::Event> Events() const {
    return log.On<records::v1::Event>(topics.Events());
  }

  const std::string alert_id = MakeUuidV5("an alert");
  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics{"tocsin"};
  FakeRecordHistory history;
  LogStartCheck start_check{history};
  AlertActions actions{{clock, registry, admissions, vault, log, topics, start_check}};
};

// Replies of ann to messages with codes.
class AckReplyTest : public AlertActionsTest {
 protected:
  AckReplyResult Reply(const std::string& code, const std::string& sid = "SM1") {
    AckReplyResult result{};
    actions.ProcessReply({.recipient_token = "ann's token", .code = code, .message_sid = sid},
                         kTrace, [&](Result<AckReplyResult> outcome) { result = outcome.value(); });
    return result;
  }
  std::string AlertWithCode(const std::string& code) {
    clock.Advance(std::chrono::milliseconds(1));  // another id
    const std::string id = Issue();
    Admit(id, false);
    admissions.SetAckCode("ann's token", id, code);
    return id;
  }
};

}  // namespace tocsin::ingress
