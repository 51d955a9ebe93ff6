// The HTTP server for Prometheus, probes and operators: /metrics, /healthz, /readyz, /health.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/http/server.h"
#include "common/telemetry/metrics.h"
#include "common/telemetry/readiness.h"

namespace tocsin::telemetry {

struct OpsOptions {
  std::string address;  // "127.0.0.1:9464"; port 0 lets the system choose
  std::string service;  // "tocsin-ingress"
};

// Serves GET; every other method gets 405. /healthz is always 200, whatever the state of the
// dependencies. /readyz and /health are 200 if the process is ready, else 503.
class OpsServer {
 public:
  // `metrics` and `readiness` outlive the server.
  static Result<OpsServer> Start(OpsOptions options, const Metrics& metrics,
                                 const Readiness& readiness);

  std::uint16_t port() const { return static_cast<std::uint16_t>(server_->port()); }

 private:
  explicit OpsServer(std::unique_ptr<http::Server> server) : server_(std::move(server)) {}

  std::unique_ptr<http::Server> server_;
};

// The response of the server to `request`.
http::Response RespondToOps(const http::Request& request, const std::string& service,
                            const Metrics& metrics, const Readiness& readiness);

}  // namespace tocsin::telemetry
