#include <string>

#include "common/base/digest.h"
#include "common/config/secret_file.h"
#include "common/twilio/webhooks/signature.h"
#include "tests/load/load.h"

namespace tocsin::load {
namespace {

constexpr const char* kTarget = "/twilio/sms/status";
constexpr int kNoContent = 204;

struct Options : HttpLoadOptions {
  std::string address;
  std::string public_url;
  double rate = 0;
};

// A signed status callback for a new message SID.
std::string RequestOf(const Options& options, const Secret& token) {
  const FormFields fields{
      {"AccountSid", options.account}, {"ApiVersion", "2010-04-01"},
      {"From", "+15017122661"},        {"MessageSid", "SM" + HexEncode(RandomBytes(16))},
      {"MessageStatus", "delivered"},  {"To", "+15145550123"}};
  const std::string body = FormEncode(fields);
  return std::string("POST ") + kTarget + " HTTP/1.1\r\nHost: " + options.address +
         "\r\nUser-Agent: TwilioProxy/1.1\r\nX-Twilio-Signature: " +
         twilio::Sign(token, options.public_url + kTarget, fields) +
         "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

Result<int> Drive(const Options& options) {
  const auto token = config::ReadSecretFile(options.token_file);
  if (!token) return Fail(ErrorCode::kInvalidConfig, token.error().reason, "--token-file");
  return RunHttpLoad({.address = options.address,
                      .count = options.count,
                      .connections = options.connections,
                      .rate = options.rate,
                      .expected_status = kNoContent},
                     [&](std::uint64_t) { return RequestOf(options, token->value); });
}

}  // namespace

void AddWebhooks(CLI::App& app, Run& run) {
  const auto options = std::make_shared<Options>();
  options->count = 50'000;
  CLI::App& command = *app.add_subcommand("webhooks", "signed status callbacks");
  command.add_option("--address", options->address, "host:port of the webhook server")
      ->envname("TOCSIN_INGRESS_HTTP")
      ->required();
  command.add_option("--public-url", options->public_url, "base URL that the signature covers")
      ->envname("TOCSIN_PUBLIC_BASE_URL")
      ->required();
  AddHttpLoadOptions(command, *options);
  command.add_option("--rate", options->rate,
                     "requests per second, open loop; 0: as fast as possible");
  command.callback([options, &run] { run = [options] { return Drive(*options); }; });
}

}  // namespace tocsin::load
