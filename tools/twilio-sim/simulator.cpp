#include "tools/twilio-sim/simulator.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr size_t kMaxConnections = 20'000;
constexpr size_t kMaxRequestBody = 1024 * 1024;  // scripts of outcomes; a message is far smaller
constexpr std::chrono::hours kLongestSilence{1};

std::string RequestId(const Dice& dice, std::uint64_t number) {
  return "RQ" + Hex16(dice.Draw(Purpose::kRequestId, number)) +
         Hex16(dice.Draw(Purpose::kRequestId, number, 1));
}

}  // namespace

http::ServerOptions ServerOptionsFor(const std::string& address, int threads) {
  http::ServerOptions options;
  options.address = address;
  options.threads = threads;
  options.max_body = kMaxRequestBody;
  options.max_connections = kMaxConnections;
  options.max_in_flight = kMaxConnections;
  options.answer_timeout = kLongestSilence + std::chrono::minutes(1);
  return options;
}

Simulator::Simulator(const Settings& settings)
    : state_(settings),
      webhooks_(state_, callbacks_, settings.callbacks_anywhere),
      exchange_(state_, webhooks_),
      rest_(state_, exchange_),
      control_(state_, callbacks_, webhooks_, exchange_),
      request_ids_(settings.seed),
      pump_(state_, webhooks_, exchange_) {}

void Simulator::Handle(http::Request request, http::Responder responder) {
  const WallTime now = Now();
  auto shared = std::make_shared<http::Responder>(std::move(responder));
  if (request.Path().starts_with("/sim/")) {
    return control_.Handle(
        request, [shared](Reply reply) { shared->Send(std::move(reply.response)); }, now);
  }
  HandleRest(request, std::move(shared), now);
}

void Simulator::HandleRest(const http::Request& request, std::shared_ptr<http::Responder> responder,
                           WallTime now) {
  const auto began = std::chrono::steady_clock::now();
  const std::uint64_t in_flight = ++in_flight_;
  auto reply = std::make_shared<Reply>(rest_.Answer(request, in_flight, now));
  const std::uint64_t number = ++requests_;
  auto send = [this, reply, responder = std::move(responder), began, in_flight, number] {
    --in_flight_;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    auto& headers = reply->response.headers;
    headers.push_back({"Twilio-Request-Id", RequestId(request_ids_, number)});
    headers.push_back({"Twilio-Concurrent-Requests", std::to_string(in_flight)});
    headers.push_back({"Twilio-Request-Duration", fmt::format("{:.3f}", took.count())});
    responder->Send(std::move(reply->response));
  };
  if (reply->delay.count() == 0) return send();
  delayed_.After(reply->delay, std::move(send));
}

}  // namespace tocsin::sim
