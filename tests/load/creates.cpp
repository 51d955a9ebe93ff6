#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/config/secret_file.h"
#include "tests/load/load.h"

namespace tocsin::load {
namespace {

constexpr std::uint64_t kNumbers = 10'000;  // recipients
constexpr int kCreated = 201;

struct Options : HttpLoadOptions {
  std::string base_url;
  std::string from;
};

std::string RequestOf(const Options& options, const std::string& credentials,
                      std::uint64_t number) {
  std::string to = std::to_string(kNumbers + number % kNumbers);
  to.replace(0, 1, "+1514555");  // 1dddd becomes +1514555dddd
  const std::string body =
      FormEncode({{"To", to}, {"From", options.from}, {"Body", "Pump 3 has stopped"}});
  return "POST /2010-04-01/Accounts/" + options.account +
         "/Messages.json HTTP/1.1\r\nHost: simulator\r\nAuthorization: Basic " + credentials +
         "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

Result<int> Drive(const Options& options) {
  constexpr std::string_view kScheme = "http://";
  if (!options.base_url.starts_with(kScheme))
    return Fail(ErrorCode::kInvalidConfig, "must begin with http://", "--base-url");
  const auto token = config::ReadSecretFile(options.token_file);
  if (!token) return Fail(ErrorCode::kInvalidConfig, token.error().reason, "--token-file");
  const std::string credentials = Base64Encode(options.account + ':' + token->value.Reveal());
  return RunHttpLoad({.address = options.base_url.substr(kScheme.size()),
                      .count = options.count,
                      .connections = options.connections,
                      .expected_status = kCreated},
                     [&](std::uint64_t number) { return RequestOf(options, credentials, number); });
}

}  // namespace

void AddCreates(CLI::App& app, Run& run) {
  const auto options = std::make_shared<Options>();
  options->count = 200'000;
  CLI::App& command = *app.add_subcommand("creates", "messages created in the simulator");
  command.add_option("--base-url", options->base_url)
      ->envname("TOCSIN_TWILIO_BASE_URL")
      ->required();
  AddHttpLoadOptions(command, *options);
  command.add_option("--from", options->from)->default_val("+15017122661");
  command.callback([options, &run] { run = [options] { return Drive(*options); }; });
}

}  // namespace tocsin::load
