// Sends one alert and says what became of it.
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

constexpr std::chrono::seconds kCallLimit{5};
constexpr int kTries = 5;

std::string Setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void Prepare(grpc::ClientContext& context) {
  std::string key;
  std::ifstream(Setting("TOCSIN_API_KEY_FILE")) >> key;
  context.AddMetadata("authorization", "Bearer " + key);
  context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
}

// RetryInfo of the error's google.rpc.Status; a second when there is none.
milliseconds WaitOf(const grpc::Status& error) {
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
  request.set_idempotency_key(argv[1]);  // the same key again is the same alert, never a second one
  request.set_to(argv[2]);
  request.set_text(argv[3]);

  const auto door = tocsin::v1::AlertService::NewStub(
      grpc::CreateChannel(Setting("TOCSIN_INGRESS_GRPC"), grpc::InsecureChannelCredentials()));
  tocsin::v1::EnqueueResponse taken;
  grpc::Status status;
  for (int tries = 0; tries < kTries; ++tries) {
    grpc::ClientContext context;
    Prepare(context);
    status = door->Enqueue(&context, request, &taken);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) break;
    std::this_thread::sleep_for(WaitOf(status));
  }
  if (!status.ok()) return std::cerr << "not accepted: " << status.error_message() << '\n', 1;
  std::cout << "accepted " << taken.alert_id() << '\n';

  const auto books = tocsin::v1::StatusService::NewStub(
      grpc::CreateChannel(Setting("TOCSIN_AUDIT_GRPC"), grpc::InsecureChannelCredentials()));
  tocsin::v1::GetAlertRequest question;
  question.set_alert_id(taken.alert_id());
  *question.mutable_min_position() = taken.position();  // reads what was just written
  tocsin::v1::GetAlertResponse answer;
  grpc::ClientContext context;
  Prepare(context);
  status = books->GetAlert(&context, question, &answer);
  if (!status.ok()) return std::cerr << status.error_message() << '\n', 1;
  for (const auto& entry : answer.alert().timeline()) std::cout << entry.what() << '\n';
  return 0;
}
