// Sends one alert and prints its timeline. The same key again is the same alert, never a second
// one.
//
//   source .tocsin/env && send pump-3-2026-01-31 +15558675309 "Pump 3 has stopped"
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tocsin/v1/status_service.grpc.pb.h"

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kTimeout{5};
constexpr int kMaxAttempts = 5;

std::string Setting(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) {
    std::cerr << name << " is not set\n";
    std::exit(2);
  }
  return value;
}

// Metadata and deadline of one request.
void Prepare(grpc::ClientContext& context) {
  std::string api_key;
  std::ifstream(Setting("TOCSIN_API_KEY_FILE")) >> api_key;
  context.AddMetadata("authorization", "Bearer " + api_key);
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
}

// RetryInfo of the error's google.rpc.Status; one second if there is none.
milliseconds RetryDelay(const grpc::Status& error) {
  google::rpc::Status status;
  status.ParseFromString(error.error_details());
  google::rpc::RetryInfo retry;
  for (const auto& detail : status.details())
    if (detail.UnpackTo(&retry))
      return milliseconds(retry.retry_delay().seconds() * 1000 +
                          retry.retry_delay().nanos() / 1'000'000);
  return milliseconds(1000);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: send KEY NUMBER TEXT\n", 2;
  tocsin::v1::EnqueueRequest request;
  request.set_idempotency_key(argv[1]);
  request.set_to(argv[2]);
  request.set_text(argv[3]);

  const auto alert_stub = tocsin::v1::AlertService::NewStub(
      grpc::CreateChannel(Setting("TOCSIN_INGRESS_GRPC"), grpc::InsecureChannelCredentials()));
  tocsin::v1::EnqueueResponse response;
  grpc::Status status;
  for (int attempt = 1; attempt <= kMaxAttempts; ++attempt) {
    grpc::ClientContext context;
    Prepare(context);
    status = alert_stub->Enqueue(&context, request, &response);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || attempt == kMaxAttempts) break;
    std::this_thread::sleep_for(RetryDelay(status));
  }
  if (!status.ok()) return std::cerr << "not accepted: " << status.error_message() << '\n', 1;
  std::cout << "accepted " << response.alert_id() << '\n';

  const auto status_stub = tocsin::v1::StatusService::NewStub(
      grpc::CreateChannel(Setting("TOCSIN_AUDIT_GRPC"), grpc::InsecureChannelCredentials()));
  tocsin::v1::GetAlertRequest get_request;
  get_request.set_alert_id(response.alert_id());
  get_request.set_consistency_token(response.consistency_token());  // reads what was just written
  tocsin::v1::Alert alert;
  grpc::ClientContext context;
  Prepare(context);
  status = status_stub->GetAlert(&context, get_request, &alert);
  if (!status.ok()) return std::cerr << status.error_message() << '\n', 1;
  for (const auto& entry : alert.timeline()) std::cout << entry.description() << '\n';
  return 0;
}
