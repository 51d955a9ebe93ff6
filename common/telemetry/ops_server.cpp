#include "common/telemetry/ops_server.h"

#include <string_view>
#include <utility>

namespace tocsin::telemetry {
namespace {

constexpr int kOpsThreads = 1;  // enough for Prometheus, probes and operators
constexpr size_t kOpsConnections = 64;
constexpr size_t kOpsBodyBytes = 1024;  // no request has a body
constexpr std::string_view kJson = "application/json";

http::Response MakeResponse(int status, std::string_view content_type, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = content_type;
  response.body = std::move(body);
  return response;
}

}  // namespace

http::Response RespondToOps(const http::Request& request, const std::string& service,
                            const Metrics& metrics, const Readiness& readiness) {
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const bool known =
      path == "/metrics" || path == "/healthz" || path == "/readyz" || path == "/health";
  if (!known) return MakeResponse(404, kJson, "{\"error\":\"NOT_FOUND\"}\n");
  if (request.method != "GET") {
    http::Response refusal = MakeResponse(405, kJson, "{\"error\":\"METHOD_NOT_ALLOWED\"}\n");
    refusal.headers.push_back({"Allow", "GET, HEAD"});
    return refusal;
  }
  if (path == "/metrics") return MakeResponse(200, kMetricsContentType, metrics.Text());
  if (path == "/healthz") return MakeResponse(200, kJson, "{\"status\":\"ok\"}\n");
  std::string body = path == "/readyz" ? ReadyJson(readiness) : HealthJson(readiness, service);
  return MakeResponse(readiness.ready() ? 200 : 503, kJson, std::move(body));
}

Result<OpsServer> OpsServer::Start(OpsOptions options, const Metrics& metrics,
                                   const Readiness& readiness) {
  http::ServerOptions server_options;
  server_options.address = options.address;
  server_options.threads = kOpsThreads;
  server_options.max_connections = kOpsConnections;
  server_options.max_body = kOpsBodyBytes;
  TOCSIN_TRY(auto server,
             http::Server::Start(
                 server_options, [service = std::move(options.service), &metrics, &readiness](
                                     const http::Request& request, http::Responder responder) {
                   responder.Send(RespondToOps(request, service, metrics, readiness));
                 }));
  return OpsServer(std::move(server));
}

}  // namespace tocsin::telemetry
