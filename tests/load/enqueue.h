// What the two ways to enqueue share: options, alerts and connections.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/load/load.h"
#include "tocsin/v1/alert_service.grpc.pb.h"

namespace tocsin::load {

constexpr std::chrono::seconds kRpcTimeout{30};

struct EnqueueOptions {
  std::string address;
  std::string api_key_file;
  std::uint64_t count = 20'000;
  int connections = 2;
  bool keyed = false;
  std::string channel = "sms";
  std::string priority = "normal";
  std::string text = "load";
  // Unary only.
  int in_flight = 64;
  double rate = 0;
  std::string log;
  // Stream only.
  int alerts_per_request = 64;
};

// Alerts of one run. Immutable.
class Alerts {
 public:
  explicit Alerts(const EnqueueOptions& options);
  // Alert number `number`: one of 10 000 recipients, and a text with the number.
  void Fill(std::uint64_t number, v1::EnqueueRequest& request) const;

 private:
  const std::string text_;
  const std::string key_prefix_;  // unique to the run; empty: without idempotency keys
  const v1::Priority priority_;
  const v1::Channel channel_;
};

// A TCP connection per stub.
struct Connections {
  std::string authorization;  // metadata of each request
  std::vector<std::unique_ptr<v1::AlertService::Stub>> stubs;
};
Result<Connections> Connect(const EnqueueOptions& options);

// Return Measure::Report().
Result<int> EnqueueUnary(const EnqueueOptions& options);
Result<int> EnqueueStream(const EnqueueOptions& options);

}  // namespace tocsin::load
