#include "common/rpc/request_metrics.h"

#include "google/rpc/code.pb.h"

namespace tocsin::rpc {
namespace {

telemetry::Labels LabelsOf(std::string_view service, std::string_view method,
                           std::optional<ErrorCode> error) {
  const int code = error ? TraitsOf(*error).grpc_status : google::rpc::OK;
  return {{"service", std::string(service)},
          {"method", std::string(method)},
          {"code", google::rpc::Code_Name(static_cast<google::rpc::Code>(code))},
          {"reason", error ? std::string(TraitsOf(*error).name) : std::string()}};
}

// Only clients and programs at start return these: a server has no series for them.
bool HasSeries(ErrorCode error) {
  return error != ErrorCode::kUnreachable && error != ErrorCode::kInvalidConfig;
}

}  // namespace

RequestMetrics::RequestMetrics(telemetry::Metrics& metrics,
                               const std::vector<MeasuredService>& services,
                               const telemetry::Buckets& buckets) {
  std::vector<std::optional<ErrorCode>> results{std::nullopt};
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
    if (const auto error = static_cast<ErrorCode>(i); HasSeries(error)) results.emplace_back(error);
  for (const MeasuredService& service : services)
    for (const MeasuredMethod& method : service.methods) {
      for (const std::optional<ErrorCode> result : results)
        counters_[{std::string(method.name), result}] = &metrics.Counter(
            "grpc_server_requests_total",
            "gRPC requests by result; each alert of a batch or stream counts as one",
            LabelsOf(service.name, method.name, result));
      if (method.timed)
        durations_[std::string(method.name)] = &metrics.Histogram(
            "grpc_server_request_seconds",
            "From a gRPC request, or a request of a stream, to its response", buckets,
            {{"service", std::string(service.name)}, {"method", std::string(method.name)}});
    }
}

void RequestMetrics::Count(std::string_view method, std::optional<ErrorCode> error) const {
  if (const auto found = counters_.find({std::string(method), error}); found != counters_.end())
    found->second->Increment();
}

void RequestMetrics::Observe(std::string_view method, std::chrono::nanoseconds duration) const {
  if (const auto found = durations_.find(method); found != durations_.end())
    found->second->Observe(duration);
}

}  // namespace tocsin::rpc
