// AlertService as a caller meets it: over a connection, byte for byte.
#include "services/ingress/alert_service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/request_rules.h"
#include "common/rpc/server.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"
#include "tests/fakes/registry.h"
#include "tests/fakes/vault.h"

namespace tocsin::ingress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::chrono::seconds kCallLimit{30};
constexpr const char* kEnqueue = "/tocsin.v1.AlertService/Enqueue";
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

std::string Frame(std::uint64_t number) {
  v1::EnqueueStreamRequest frame;
  frame.set_frame(number);
  *frame.add_alerts() = ARequest();
  return frame.SerializeAsString();
}

struct Details {
  google::rpc::ErrorInfo info;
  std::optional<google::rpc::RetryInfo> retry;
};
Details DetailsOf(const grpc::Status& status) {
  google::rpc::Status parsed;
  parsed.ParseFromString(status.error_details());
  Details details;
  for (const auto& any : parsed.details()) {
    google::rpc::RetryInfo retry;
    if (!any.UnpackTo(&details.info) && any.UnpackTo(&retry)) details.retry = retry;
  }
  return details;
}

// How a call ended, and the frames it answered before.
struct Ended {
  grpc::Status status;
  std::vector<std::uint64_t> answered;
};

class AlertServiceTest : public testing::Test {
 protected:
  void Serve(SteadyTime::duration stream_life = kStreamLife) {
    service = std::make_unique<AlertService>(door, acceptance, marking, AlertServiceObserver{},
                                             stream_life);
    server = *rpc::Server::Start({.address = "127.0.0.1:0",
                                  .max_message_bytes = kMaxRequestBytes,
                                  .names = {v1::AlertService::service_full_name()}},
                                 {service.get()});
    channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(server->port()),
                                  grpc::InsecureChannelCredentials());
  }
  static void Prepare(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    context.AddMetadata("authorization", "Bearer " + kTestKey);
  }

  grpc::Status Call(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    Prepare(context);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, method, Bytes(bytes), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    Next(queue);
    return status;
  }

  // Sends the frames one after another, closes its side, and reads to the end.
  Ended Stream(const std::vector<std::string>& frames) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    Prepare(context);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, kStream, &queue);
    call->StartCall(nullptr);
    Next(queue);
    for (const std::string& frame : frames) {
      call->Write(Bytes(frame), nullptr);
      if (!Next(queue)) break;  // the call is over
    }
    call->WritesDone(nullptr);
    Next(queue);
    Ended ended;
    grpc::ByteBuffer answer;
    while (call->Read(&answer, nullptr), Next(queue)) {
      v1::EnqueueStreamResponse response;
      EXPECT_TRUE(response.ParseFromString(Text(answer)));
      EXPECT_TRUE(response.results(0).has_accepted()) << response.ShortDebugString();
      ended.answered.push_back(response.frame());
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
  rpc::Door door{registry};
  FakeAdmissions admissions;
  FakeVault vault;
  FakeRecordLog log;
  Topics topics;
  Acceptance acceptance{{clock, registry, admissions, vault, log, topics}, {}};
  Marking marking{{clock, admissions, log, topics}};
  std::unique_ptr<AlertService> service;
  std::unique_ptr<rpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;
};

TEST_F(AlertServiceTest, SaysThatARequestCannotBeReadInsteadOfThatTheMethodIsMissing) {  // A1
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

TEST_F(AlertServiceTest, LeavesAMethodThatNobodyServesUnimplemented) {
  Serve();
  for (const char* method : {"/tocsin.v1.AlertService/Nothing", "/tocsin.v1.NoService/Enqueue"})
    EXPECT_EQ(Call(method, kNotUtf8).error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  const grpc::Status unbuilt = Call("/tocsin.v1.AlertService/DryRun", "");
  EXPECT_EQ(unbuilt.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(DetailsOf(unbuilt).info.reason(), "NOT_BUILT");
}

TEST_F(AlertServiceTest, EndsAStreamAtAFrameItCannotReadAndAnswersThoseBefore) {  // A1
  Serve();
  const std::string bad = std::string("\x12\x04", 2) + kNotUtf8;
  const Ended ended = Stream({Frame(1), Frame(2), bad, Frame(4)});
  EXPECT_THAT(ended.answered, UnorderedElementsAre(1, 2));
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailsOf(ended.status).info.reason(), "INVALID_ARGUMENT");
}

TEST_F(AlertServiceTest, AnswersEveryFrameOfAStreamThatItsCallerCloses) {  // A1
  Serve();
  const Ended ended = Stream({Frame(1), Frame(2), Frame(3)});
  EXPECT_TRUE(ended.status.ok()) << ended.status.error_message();
  EXPECT_THAT(ended.answered, UnorderedElementsAre(1, 2, 3));
}

TEST_F(AlertServiceTest, EndsAnOldStreamInOrderBeforeItsConnectionIsCut) {  // A1
  Serve(std::chrono::seconds(0));
  const Ended ended = Stream({Frame(1), Frame(2)});
  EXPECT_THAT(ended.answered, ElementsAre(1))
      << "the frame it was too old at is answered, no other";
  EXPECT_EQ(ended.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(ended.status.error_message(), HasSubstr("not taken"));
  EXPECT_TRUE(DetailsOf(ended.status).retry.has_value());
}

TEST_F(AlertServiceTest, TakesTheLargestBatchThatIsLegal) {  // A1
  Serve();
  std::string bell;
  for (size_t i = 0; i < kMaxTextCharacters; ++i) bell += "\U0001F514";
  v1::EnqueueBatchRequest batch;
  for (int i = 0; i < kMaxBatch; ++i) {
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
  EXPECT_EQ(response.results_size(), kMaxBatch);
  EXPECT_TRUE(response.results(kMaxBatch - 1).has_accepted())
      << response.results(kMaxBatch - 1).ShortDebugString();
}

}  // namespace
}  // namespace tocsin::ingress
