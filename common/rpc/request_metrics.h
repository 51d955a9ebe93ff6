// The metrics of gRPC requests: one family for all services of Tocsin.
//
//   grpc_server_requests_total{service,method,code,reason}
//   grpc_server_request_seconds{service,method}
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/telemetry/metrics.h"

namespace tocsin::rpc {

struct MeasuredMethod {
  std::string_view name;  // "Enqueue"
  bool timed = true;      // false for a method whose duration is up to the client
};

struct MeasuredService {
  std::string_view name;  // short name of the proto service: "AlertService"
  std::vector<MeasuredMethod> methods;
};

// Creates a series for each code and reason at once: a series is 0 before its first event. Method
// names are unique across `services`. Thread-safe, does not block. `metrics` outlives *this.
class RequestMetrics {
 public:
  RequestMetrics(telemetry::Metrics& metrics, const std::vector<MeasuredService>& services,
                 const telemetry::Buckets& buckets);

  // Counts a request that ended with `error`, or with code OK. A method that handles several items
  // counts each of them. Ignores methods it was not made with.
  void Count(std::string_view method, std::optional<ErrorCode> error) const;

  // How long a request took. Ignores methods that are not timed.
  void Observe(std::string_view method, std::chrono::nanoseconds duration) const;

 private:
  std::map<std::pair<std::string, std::optional<ErrorCode>>, telemetry::Counter*> counters_;
  std::map<std::string, telemetry::Histogram*, std::less<>> durations_;
};

}  // namespace tocsin::rpc
