#include "common/rpc/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>

#include "grpc/health/v1/health.pb.h"

namespace tocsin::rpc {
namespace {

constexpr std::chrono::seconds kTimeout{10};

class ServerTest : public testing::Test {
 protected:
  void Start(ServerSettings settings = {}) {
    settings.address = "127.0.0.1:0";
    auto started = Server::Start(settings, {});
    ASSERT_TRUE(started);
    server = *std::move(started);
    channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(server->port()),
                                  grpc::InsecureChannelCredentials());
  }
  grpc::health::v1::HealthCheckResponse::ServingStatus Health(const std::string& name) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTimeout);
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(name);
    grpc::TemplatedGenericStub<grpc::health::v1::HealthCheckRequest,
                               grpc::health::v1::HealthCheckResponse>
        stub(channel);
    grpc::CompletionQueue queue;
    const auto call =
        stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
    call->StartCall();
    grpc::health::v1::HealthCheckResponse response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
};

TEST_F(ServerTest, ReportsReadinessApartFromServing) {  // O2
  using Response = grpc::health::v1::HealthCheckResponse;
  Start({.address = {}, .names = {"tocsin.v1.AlertService"}});
  server->SetReady(false);
  EXPECT_EQ(Health("tocsin.v1.AlertService"), Response::SERVING);
  EXPECT_EQ(Health("readiness"), Response::NOT_SERVING);
  server->SetServing(false);
  EXPECT_EQ(Health("tocsin.v1.AlertService"), Response::NOT_SERVING);
  EXPECT_EQ(Health(""), Response::NOT_SERVING);
  EXPECT_EQ(Health("liveness"), Response::SERVING);
}

TEST_F(ServerTest, ClosesAConnectionWithoutRequests) {  // P8
  Start({.address = {}, .max_idle = std::chrono::milliseconds(300)});
  Health("");
  ASSERT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
  EXPECT_TRUE(
      channel->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + kTimeout));
  Health("");  // connects again
}

TEST_F(ServerTest, NamesAnAddressInUse) {
  Start();
  const auto second = Server::Start({.address = "127.0.0.1:" + std::to_string(server->port())}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kInvalidConfig);
}

}  // namespace
}  // namespace tocsin::rpc
