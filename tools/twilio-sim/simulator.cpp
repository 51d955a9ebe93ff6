#include "tools/twilio-sim/simulator.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr size_t kMaxConnections = 20'000;
constexpr size_t kMaxRequestBody = 1024 * 1024;  // bytes; for scripts of the control API
constexpr std::chrono::hours kMaxHold{1};

std::string RequestId(const SeededRandom& random, std::uint64_t number) {
  return "RQ" + Hex16(random.Draw(Purpose::kRequestId, number)) +
         Hex16(random.Draw(Purpose::kRequestId, number, 1));
}

}  // namespace

http::ServerOptions ServerOptionsFor(const std::string& address, int threads) {
  http::ServerOptions options;
  options.address = address;
  options.threads = threads;
  options.max_body = kMaxRequestBody;
  options.max_connections = kMaxConnections;
  options.max_in_flight = kMaxConnections;
  options.response_timeout = kMaxHold + std::chrono::minutes(1);
  return options;
}

Simulator::Simulator(const Settings& settings)
    : state_(settings),
      webhooks_(state_, webhook_sender_, settings.callbacks_anywhere),
      engine_(state_, webhooks_),
      rest_(state_, engine_),
      control_(state_, webhook_sender_, webhooks_, engine_),
      request_ids_(settings.seed),
      scheduler_(state_, webhooks_, engine_) {}

void Simulator::Handle(const http::Request& request, http::Responder responder) {
  const WallTime now = Now();
  auto shared = std::make_shared<http::Responder>(std::move(responder));
  if (request.Path().starts_with("/sim/")) {
    return control_.Handle(
        request,
        [shared](ApiResponse response) { shared->Send(std::move(response.http_response)); }, now);
  }
  HandleRest(request, std::move(shared), now);
}

void Simulator::HandleRest(const http::Request& request, std::shared_ptr<http::Responder> responder,
                           WallTime now) {
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t in_flight = ++in_flight_;
  auto response = std::make_shared<ApiResponse>(rest_.Handle(request, in_flight, now));
  const std::uint64_t number = ++requests_;
  auto send = [this, response, responder = std::move(responder), start, in_flight, number] {
    --in_flight_;
    const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
    auto& headers = response->http_response.headers;
    headers.push_back({"Twilio-Request-Id", RequestId(request_ids_, number)});
    headers.push_back({"Twilio-Concurrent-Requests", std::to_string(in_flight)});
    headers.push_back({"Twilio-Request-Duration", fmt::format("{:.3f}", duration.count())});
    responder->Send(std::move(response->http_response));
  };
  if (response->delay.count() == 0) return send();
  delayed_.After(response->delay, std::move(send));
}

}  // namespace tocsin::sim
