// AlertService over a connection, with requests as bytes.
#include "services/ingress/rpc/alert_service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/alert/request_rules.h"
#include "common/rpc/server.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_history.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::chrono::seconds kTimeout{30};
constexpr const char* kEnqueue = "/tocsin.v1.AlertService/Enqueue";
constexpr const char* kBatch = "/tocsin.v1.AlertService/EnqueueBatch";
constexpr const char* kStream = "/tocsin.v1.AlertService/EnqueueStream";
constexpr const char* kNotUtf8 = "\x22\x02\xc3\x28";  // field 4 of a request, `to`

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

std::string Text(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!bytes.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

v1::EnqueueRequest ARequest() {
  v1::EnqueueRequest request;
  request.set_to("+15145550123");
  request.set_text("Boiler 3 is too hot");
  return request;
}

std::string StreamRequest(std::int64_t id) {
  v1::EnqueueStreamRequest request;
  request.set_request_id(id);
  *request.add_alerts() = ARequest();
  return request.SerializeAsString();
}

struct Details {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  std::optional<google::rpc::RetryInfo> retry;
};
Details DetailsOf(const grpc::Status& status) {
  google::rpc::Status parsed;
  parsed.ParseFromString(status.error_details());
  Details details;
  for (const auto& any : parsed.details()) {
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&retry)) details.retry = retry;
    if (!any.UnpackTo(&details.info)) any.UnpackTo(&details.bad_request);
  }
  return details;
}

// How a stream ended, and the ids of the responses before.
struct EndedStream {
  grpc::Status status;
  std::vector<std::int64_t> responses;
};

class AlertServiceTest : public testing::Test {
 protected:
  void Serve(SteadyTime::duration max_stream_age = kMaxStreamAge) {
    service = std::make_unique<AlertService>(gate, acceptance, alert_actions,
                                             AlertServiceObserver{}, max_stream_age);
    server = *rpc::Server::Start({.address = "127.0.0.1:0",
                                  .max_message_bytes = kMaxRequestBytes,
                                  .names = {v1::AlertService::service_full_name()}},
                                 {service.get()});
    channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(server->port()),
                                  grpc::InsecureChannelCredentials());
  }
  static void Prepare(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kTimeout);
    context.AddMetadata("authorization", "Bearer " + kTestKey);
  }

  grpc::Status Call(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    Prepare(context);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, method, Bytes(bytes), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    Next(queue);
    return status;
  }

  // Sends the requests one after another, closes its side, and reads to the end.
  EndedStream Stream(const std::vector<std::string>& requests) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    Prepare(context);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, kStream, &queue);
    call->StartCall(nullptr);
    Next(queue);
    for (const std::string& request : requests) {
      call->Write(Bytes(request), nullptr);
      if (!Next(queue)) break;  // the stream has ended
    }
    call->WritesDone(nullptr);
    Next(queue);
    EndedStream ended;
    grpc::ByteBuffer bytes;
    while (call->Read(&bytes, nullptr), Next(queue)) {
      v1::EnqueueStreamResponse response;
      EXPECT_TRUE(response.ParseFromString(Text(bytes)));
      EXPECT_TRUE(response.results(0).has_accepted()) << response.ShortDebugString();
      ended.responses.push_back(response.request_id());
    }
    call->Finish(&ended.status, nullptr);
    Next(queue);
    return ended;
  }

  static bool Next(grpc::CompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }

  ManualClock clock;
  RegistrySource registry{Built(TestRegistry())};
  rpc::AdmissionGate gate{registry};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  Acceptance acceptance{{clock, registry, admissions, vault, log, topics}, {}};
  FakeRecordHistory history;
  LogStartCheck start_check{history};
  AlertActions alert_actions{{clock, registry, admissions, vault, log, topics, start_check}};
  std::unique_ptr<AlertService> service;
  std::unique_ptr<rpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;
};

TEST_F(AlertServiceTest, RefusesAnUnparsableRequestWithInvalidArgument) {  // A1
  Serve();
  for (const char* bytes : {kNotUtf8, "\x0a\x7f"}) {
    const grpc::Status status = Call(kEnqueue, bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("UTF-8"));
    EXPECT_EQ(DetailsOf(status).info.reason(), "INVALID_ARGUMENT");
    EXPECT_EQ(DetailsOf(status).info.domain(), "tocsin");
  }
  EXPECT_TRUE(Call(kEnqueue, ARequest().SerializeAsString()).ok());
}

TEST_F(AlertServiceTest, AnUnknownMethodIsUnimplemented) {
  Serve();
  for (const char* method : {"/tocsin.v1.AlertService/Nothing", "/tocsin.v1.NoService/Enqueue"})
    EXPECT_EQ(Call(method, kNotUtf8).error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  const grpc::Status dry_run = Call("/tocsin.v1.AlertService/DryRun", "");
  EXPECT_EQ(dry_run.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(DetailsOf(dry_run).info.reason(), "UNIMPLEMENTED");
}

TEST_F(AlertServiceTest, EndsAStreamAtAnUnparsableRequestAfterTheResponsesBefore) {  // A1
  Serve();
  const std::string bad = std::string("\x12\x04", 2) + kNotUtf8;
  const EndedStream ended = Stream({StreamRequest(1), StreamRequest(2), bad, StreamRequest(4)});
  EXPECT_THAT(ended.responses, UnorderedElementsAre(1, 2));
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailsOf(ended.status).info.reason(), "INVALID_ARGUMENT");
}

TEST_F(AlertServiceTest, RespondsToEveryRequestOfAStreamThatTheClientCloses) {  // A1
  Serve();
  const EndedStream ended = Stream({StreamRequest(1), StreamRequest(2), StreamRequest(3)});
  EXPECT_TRUE(ended.status.ok()) << ended.status.error_message();
  EXPECT_THAT(ended.responses, UnorderedElementsAre(1, 2, 3));
}

TEST_F(AlertServiceTest, EndsAStreamAtItsMaximumAge) {  // A1
  Serve(std::chrono::seconds(0));
  const EndedStream ended = Stream({StreamRequest(1), StreamRequest(2)});
  EXPECT_THAT(ended.responses, ElementsAre(1))
      << "only the request at the maximum age has a response";
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(ended.status.error_message(), HasSubstr("not accepted"));
  EXPECT_TRUE(DetailsOf(ended.status).retry.has_value());
}

TEST_F(AlertServiceTest, AcceptsTheLargestValidBatch) {  // A1
  Serve();
  std::string bell;
  for (size_t i = 0; i < kMaxTextCharacters; ++i) bell += "\U0001F514";
  v1::EnqueueBatchRequest batch;
  for (int i = 0; i < kMaxBatchAlerts; ++i) {
    v1::EnqueueRequest& request = *batch.add_alerts() = ARequest();
    request.set_text(bell);
    request.set_idempotency_key(std::string(kMaxKeyCharacters - 4, 'k') + std::to_string(1000 + i));
    for (int label = 0; label < kMaxLabels; ++label)
      (*request
            .mutable_labels())[std::string(kMaxLabelBytes - 2, 'n') + std::to_string(10 + label)] =
          std::string(kMaxLabelBytes, 'v');
  }
  EXPECT_GT(batch.ByteSizeLong(), 8'000'000u);
  grpc::ClientContext context;
  Prepare(context);
  v1::EnqueueBatchResponse response;
  const grpc::Status status =
      v1::AlertService::NewStub(channel)->EnqueueBatch(&context, batch, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.results_size(), kMaxBatchAlerts);
  EXPECT_TRUE(response.results(kMaxBatchAlerts - 1).has_accepted())
      << response.results(kMaxBatchAlerts - 1).ShortDebugString();
}

TEST_F(AlertServiceTest, EndsAStreamAtARequestWithoutAlertsAfterTheResponsesBefore) {  // A1
  Serve();
  const EndedStream ended = Stream({StreamRequest(1), "", StreamRequest(3)});
  EXPECT_THAT(ended.responses, ElementsAre(1));
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const Details details = DetailsOf(ended.status);
  EXPECT_EQ(details.info.reason(), "INVALID_ARGUMENT");
  ASSERT_EQ(details.bad_request.field_violations_size(), 1);
  EXPECT_EQ(details.bad_request.field_violations(0).field(), "alerts");
}

TEST_F(AlertServiceTest, RefusesABatchOfTooFewOrTooManyAlertsByItsField) {  // A1
  Serve();
  const auto refused = [this](int count) {
    v1::EnqueueBatchRequest batch;
    for (int i = 0; i < count; ++i) *batch.add_alerts() = ARequest();
    const grpc::Status status = Call(kBatch, batch.SerializeAsString());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(DetailsOf(status).bad_request.field_violations(0).field(), "alerts");
    return DetailsOf(status).info.reason();
  };
  EXPECT_EQ(refused(0), "INVALID_ARGUMENT");
  EXPECT_EQ(refused(kMaxBatchAlerts + 1), "TOO_MANY_ITEMS");
}

TEST_F(AlertServiceTest, ExactlyOneOfARepeatedKeyInABatchIsFirst) {  // A3
  Serve();
  v1::EnqueueBatchRequest batch;
  for (int i = 0; i < 3; ++i) {
    *batch.add_alerts() = ARequest();
    batch.mutable_alerts(i)->set_idempotency_key("k1");
  }
  grpc::ClientContext context;
  Prepare(context);
  v1::EnqueueBatchResponse response;
  ASSERT_TRUE(v1::AlertService::NewStub(channel)->EnqueueBatch(&context, batch, &response).ok());
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_FALSE(response.results(0).accepted().replayed());
  for (int i = 1; i < 3; ++i) {
    EXPECT_TRUE(response.results(i).accepted().replayed());
    EXPECT_EQ(response.results(i).accepted().alert_id(), response.results(0).accepted().alert_id());
  }
}

TEST_F(AlertServiceTest, RefusesABatchWithoutAnApiKeyWithErrorInfo) {  // A6
  Serve();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  v1::EnqueueBatchResponse response;
  const grpc::Status status =
      v1::AlertService::NewStub(channel)->EnqueueBatch(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(DetailsOf(status).info.reason(), "UNAUTHENTICATED");
}

TEST_F(AlertServiceTest, NamesTheScopeThatAnApiKeyLacks) {  // A6
  RegistrySnapshot::Content content = TestRegistry();
  content.clients[0].api_keys[0].scopes = {Scope::kStatus};
  registry.Swap(Built(content));
  Serve();
  const grpc::Status status = Call(kEnqueue, ARequest().SerializeAsString());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("'send'"));
}

TEST_F(AlertServiceTest, RefusesRequestsWhileItShutsDown) {  // R2
  Serve();
  EXPECT_TRUE(Call(kEnqueue, ARequest().SerializeAsString()).ok());
  service->ShutDown();
  const grpc::Status status = Call(kEnqueue, ARequest().SerializeAsString());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(DetailsOf(status).info.reason(), "SHUTTING_DOWN");
  EXPECT_TRUE(DetailsOf(status).retry.has_value());
  const EndedStream ended = Stream({StreamRequest(1)});
  EXPECT_EQ(DetailsOf(ended.status).info.reason(), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace tocsin::ingress
