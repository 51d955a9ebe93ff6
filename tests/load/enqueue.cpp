#include "tests/load/enqueue.h"

#include <utility>

#include "common/config/secret_file.h"

namespace tocsin::load {
namespace {

v1::Priority PriorityOf(const std::string& name) {
  if (name == "emergency") return v1::PRIORITY_EMERGENCY;
  if (name == "high") return v1::PRIORITY_HIGH;
  return name == "bulk" ? v1::PRIORITY_BULK : v1::PRIORITY_NORMAL;
}

void AddCommon(CLI::App& command, EnqueueOptions& options) {
  command.add_option("--address", options.address, "host:port of the ingress")
      ->envname("TOCSIN_INGRESS_GRPC")
      ->required();
  command.add_option("--api-key-file", options.api_key_file, "file that holds the API key")
      ->envname("TOCSIN_API_KEY_FILE")
      ->required();
  command.add_option("--count", options.count, "alerts")->capture_default_str();
  command.add_option("--connections", options.connections)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command.add_flag("--keyed", options.keyed, "each with an idempotency key");
  command.add_option("--channel", options.channel)
      ->check(CLI::IsMember({"sms", "voice"}))
      ->capture_default_str();
  command.add_option("--priority", options.priority)
      ->check(CLI::IsMember({"emergency", "high", "normal", "bulk"}))
      ->capture_default_str();
  command.add_option("--text", options.text, "text before the number of each alert")
      ->capture_default_str();
}

// Unique to the run. The letter keeps the digits apart: a key with as many as a payment card number
// is refused if its check digit is right.
std::string KeyPrefix() {
  constexpr std::int64_t kDigits = 1'000'000'000;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(Steady::now().time_since_epoch());
  return std::to_string(now.count() % kDigits) + 'n';
}

}  // namespace

Alerts::Alerts(const EnqueueOptions& options)
    : text_(options.text + ' '),
      key_prefix_(options.keyed ? KeyPrefix() : ""),
      priority_(PriorityOf(options.priority)),
      channel_(options.channel == "voice" ? v1::CHANNEL_VOICE : v1::CHANNEL_SMS) {}

void Alerts::Fill(std::uint64_t number, v1::EnqueueRequest& request) const {
  const std::string four = std::to_string(number % 10'000 + 10'000).substr(1);
  request.set_to("+1514555" + four);
  request.set_text(text_ + std::to_string(number));
  request.set_priority(priority_);
  request.set_channel(channel_);
  if (!key_prefix_.empty()) request.set_idempotency_key(key_prefix_ + std::to_string(number));
}

Result<Connections> Connect(const EnqueueOptions& options) {
  const auto key = config::ReadSecretFile(options.api_key_file);
  if (!key) return Fail(ErrorCode::kInvalidConfig, key.error().reason, "--api-key-file");
  Connections connections{.authorization = "Bearer " + key->value.Reveal(), .stubs = {}};
  for (int i = 0; i < options.connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel =
        grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + kRpcTimeout))
      return Fail(ErrorCode::kUnreachable, "unreachable", options.address);
    connections.stubs.push_back(v1::AlertService::NewStub(channel));
  }
  return connections;
}

void AddEnqueue(CLI::App& app, Run& run) {
  const auto unary = std::make_shared<EnqueueOptions>();
  CLI::App& one = *app.add_subcommand("enqueue-unary", "one alert per request");
  AddCommon(one, *unary);
  one.add_option("--in-flight", unary->in_flight)
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  one.add_option("--rate", unary->rate, "alerts per second, open loop; 0: as fast as possible");
  one.add_option("--log", unary->log,
                 "file for the number of each alert and the times of its request and response");
  one.callback([unary, &run] { run = [unary] { return EnqueueUnary(*unary); }; });
  const auto stream = std::make_shared<EnqueueOptions>();
  CLI::App& many = *app.add_subcommand("enqueue-stream", "several alerts per request of a stream");
  AddCommon(many, *stream);
  many.add_option("--alerts-per-request", stream->alerts_per_request)
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  many.callback([stream, &run] { run = [stream] { return EnqueueStream(*stream); }; });
}

}  // namespace tocsin::load
