// A gRPC server with StatusService and AuditService on loopback.
#pragma once

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/ports/consistency_token.h"
#include "common/rpc/server.h"
#include "services/audit/projection/projection.h"
#include "services/audit/rpc/status_service.h"
#include "services/audit/rpc/unimplemented.h"
#include "tests/fakes/vault.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"
#include "tests/services/audit/rpc/error_reason.h"

namespace tocsin::audit {

constexpr char kKey[] = "hosp1234-secret";  // client "hospital", scope status
constexpr char kOtherKey[] = "othr1234-secret";
constexpr char kSendOnlyKey[] = "send1234-secret";
constexpr char kAdminKey[] = "admn1234-secret";

inline ApiKey KeyOf(const std::string& key, std::set<Scope> scopes) {
  return {key.substr(0, 8), HexEncode(Sha256(key)), std::move(scopes)};
}

inline std::shared_ptr<const RegistrySnapshot> Clients() {
  RegistrySnapshot::Content content;
  content.clients.push_back(
      {"hospital", {KeyOf(kKey, {Scope::kStatus}), KeyOf(kSendOnlyKey, {Scope::kSend})}});
  content.clients.push_back({"another", {KeyOf(kOtherKey, {Scope::kStatus})}});
  content.clients.push_back({"operator", {KeyOf(kAdminKey, {Scope::kAdmin})}});
  return RegistrySnapshot::Build(std::move(content)).value();
}

class StatusFixture : public testing::Test {
 protected:
  explicit StatusFixture(postgres::Options database = AuditDatabase())
      : waiter(database, "cluster"),
        readers(database, 2, 16),
        subscriptions(database),
        service({gate, topics, waiter, readers, vault, subscriptions}, [](auto, auto, auto) {}),
        unimplemented(gate),
        server(rpc::Server::Start({.address = "127.0.0.1:0"}, {&service, &unimplemented}).value()),
        channel(grpc::CreateChannel("127.0.0.1:" + std::to_string(server->port()),
                                    grpc::InsecureChannelCredentials())) {}

  ~StatusFixture() override {
    waiter.Close();
    subscriptions.Close();
    server->Drain(std::chrono::system_clock::now() + std::chrono::seconds(5));
    readers.Close();
  }

  void SetUp() override { ClearTables(AuditDatabase()); }

  grpc::Status Get(const v1::GetAlertRequest& request, const std::string& key = kKey) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    return v1::StatusService::NewStub(channel)->GetAlert(&context, request, &alert);
  }

  v1::GetAlertRequest For(const std::string& alert_id) {
    v1::GetAlertRequest request;
    request.set_alert_id(alert_id);
    return request;
  }

  // The token of a record that was not written yet.
  std::string FutureToken() {
    records::v1::Position position;
    position.set_topic(build.topics.Events());
    return MakeConsistencyToken(position);
  }

  // Stores records as another replica does: this process is not notified.
  void Apply(const std::vector<IncomingRecord>& records) {
    Projection projection(AuditDatabase(), "cluster", topics);
    ASSERT_TRUE(projection.Apply(records));
  }

  RecordBuilder build;
  const std::string id = AlertIdOf(1);
  RegistrySource registry{Clients()};
  rpc::AdmissionGate gate{registry};
  const ProjectedTopics topics{Topics()};
  ProjectionWaiter waiter;
  postgres::ReaderPool readers;
  AlertSubscriptions subscriptions;
  FakeVault vault;
  StatusService service;
  UnimplementedAuditService unimplemented;
  std::unique_ptr<rpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;
  v1::Alert alert;
};

}  // namespace tocsin::audit
