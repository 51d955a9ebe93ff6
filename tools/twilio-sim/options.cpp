#include "tools/twilio-sim/options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <iostream>
#include <utility>

#include "common/base/digest.h"
#include "common/config/secret_file.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr const char* kFooter =
    "To numbers with a fixed outcome, in addition to Twilio's magic numbers (+15005550001..9):\n"
    "  +15005553XYZ  undelivered, code 30XYZ      +15005554XYZ  failed, code 30XYZ\n"
    "  +15005555XYZ  sent, no report              +15005557XYZ  first 30XYZ, then delivered\n"
    "Calls: +1500555610K presses K; ...6200 machine; ...6300 manual; ...6486 busy, 6487 no "
    "answer.\n"
    "Control API on loopback: /sim/, see docs/simulator.md.";

struct RawOptions {
  std::vector<std::string> accounts;
  std::vector<std::string> token_files;
  std::vector<std::string> numbers;
  std::vector<std::string> services;
  std::int64_t seed = -1;
  double time_scale = 1.0;
  int call_second = 20;
  std::string limits = "none";
  size_t keep = kDefaultKeptMessages;
  size_t keep_calls = kDefaultKeptCalls;
};

// The default seed is random, so that SIDs of two runs never collide.
std::uint64_t RandomSeed() {
  const std::string bytes = RandomBytes(sizeof(std::uint64_t));
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed >> 1;
}

Result<Account> ReadAccount(const std::string& sid, const std::string& file) {
  if (!IsSid(sid, "AC")) {
    return Fail(ErrorCode::kInvalidConfig, "--account must be AC and 32 hex digits");
  }
  const auto secret = config::ReadSecretFile(file);
  if (!secret) {
    return Fail(ErrorCode::kInvalidConfig,
                "--auth-token-file " + file + ' ' + secret.error().reason);
  }
  const std::string& text = secret->value.Reveal();
  const size_t line = text.find('\n');
  Account account{.sid = sid, .auth_token = Secret(text.substr(0, line))};
  if (line != std::string::npos) account.secondary_token = Secret(text.substr(line + 1));
  return account;
}

Result<size_t> AccountIndex(const Settings& settings, const std::string& sid) {
  for (size_t i = 0; i < settings.accounts.size(); ++i) {
    if (settings.accounts[i].sid == sid) return i;
  }
  return Fail(ErrorCode::kInvalidConfig, sid + " is not one of --account");
}

// [ACxx:]+E164
Result<void> AddNumber(Settings& settings, const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) {
    settings.numbers.push_back(text);
    return {};
  }
  TOCSIN_TRY(const size_t account, AccountIndex(settings, text.substr(0, colon)));
  settings.owned.emplace_back(account, text.substr(colon + 1));
  return {};
}

// [ACxx:]MGxx=+num,+num
Result<void> AddService(Settings& settings, std::string text) {
  MessagingService service;
  if (const size_t colon = text.find(':'); colon != std::string::npos) {
    TOCSIN_TRY(service.account, AccountIndex(settings, text.substr(0, colon)));
    text.erase(0, colon + 1);
  }
  const size_t equals = text.find('=');
  service.sid = text.substr(0, equals);
  if (!IsSid(service.sid, "MG")) {
    return Fail(ErrorCode::kInvalidConfig, "--messaging-service must be MG and 32 hex digits");
  }
  std::string rest = equals == std::string::npos ? "" : text.substr(equals + 1);
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    service.pool.push_back(rest.substr(0, comma));
    rest.erase(0, comma + 1);
  }
  settings.services.push_back(std::move(service));
  return {};
}

Timing ScaledTiming(double scale) {
  Timing timing;
  for (std::chrono::milliseconds* step :
       {&timing.accepted, &timing.queued, &timing.sending, &timing.sent, &timing.billed}) {
    *step = std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(step->count()) / scale));
  }
  return timing;
}

Result<Settings> ToSettings(const RawOptions& raw) {
  Settings settings;
  if (raw.accounts.size() != raw.token_files.size()) {
    return Fail(ErrorCode::kInvalidConfig, "each --account needs its --auth-token-file, in order");
  }
  for (size_t i = 0; i < raw.accounts.size(); ++i) {
    TOCSIN_TRY(Account account, ReadAccount(raw.accounts[i], raw.token_files[i]));
    settings.accounts.push_back(std::move(account));
  }
  for (const std::string& number : raw.numbers) TOCSIN_CHECK_OK(AddNumber(settings, number));
  for (const std::string& service : raw.services) TOCSIN_CHECK_OK(AddService(settings, service));
  settings.seed = raw.seed < 0 ? RandomSeed() : static_cast<std::uint64_t>(raw.seed);
  settings.timing = ScaledTiming(raw.time_scale);
  settings.timing.call_second = std::chrono::milliseconds(raw.call_second);
  settings.keep = raw.keep;
  settings.keep_calls = raw.keep_calls;
  settings.twilio_limits = raw.limits == "twilio";
  return settings;
}

}  // namespace

std::optional<Options> ParseOptions(int argc, const char* const* argv, int& exit_code) {
  Options options;
  RawOptions raw;
  CLI::App app("Simulator of Twilio's 2010-04-01 REST API (Messages, Calls)", "tocsin-twilio-sim");
  app.add_option("--listen", options.listen, "HOST:PORT; port 0: a free port, which is printed")
      ->capture_default_str();
  app.add_option("--account", raw.accounts, "Account SID; can be repeated")->required();
  app.add_option(
         "--auth-token-file", raw.token_files,
         "File with the auth token of the account; an optional second line has the secondary "
         "token. One per --account, in the same order")
      ->required();
  app.add_option("--number", raw.numbers,
                 "[ACxx:]SENDER of that account or of all; can be repeated");
  app.add_option("--messaging-service", raw.services, "[ACxx:]MGxx=SENDER,SENDER; can be repeated");
  app.add_option("--seed", raw.seed, "Seed of SIDs, delays and faults; default: random")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--time-scale", raw.time_scale, "Speed-up factor of status changes of messages")
      ->check(CLI::Range(0.001, 1000.0))
      ->capture_default_str();
  app.add_option("--call-second", raw.call_second,
                 "Duration of one second of a call (ringing, speech, pauses), in milliseconds")
      ->check(CLI::Range(1, 60'000))
      ->capture_default_str();
  app.add_option("--limits", raw.limits,
                 "none, or twilio: Twilio's rate limits of senders and accounts")
      ->check(CLI::IsMember({"none", "twilio"}))
      ->capture_default_str();
  app.add_option("--sms-url", options.settings.sms_url,
                 "URL for inbound messages, unless their sender has its own URL");
  app.add_option("--keep", raw.keep,
                 "Maximum of messages, and of create attempts; the oldest are dropped")
      ->check(CLI::Range(size_t{1}, size_t{100'000'000}))
      ->capture_default_str();
  app.add_option("--keep-calls", raw.keep_calls, "The same for calls")
      ->check(CLI::Range(size_t{1}, size_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads of the HTTP server")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--callbacks-anywhere", options.settings.callbacks_anywhere,
               "Send webhooks to any host, not only to loopback");
  app.add_flag("--check-config", options.check_config, "Validate the configuration and exit");
  app.set_version_flag("--version", "tocsin-twilio-sim " TOCSIN_VERSION);
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitUsage;
    return std::nullopt;
  }
  auto settings = ToSettings(raw);
  if (!settings) {
    std::cerr << settings.error().message << '\n';
    exit_code = kExitUsage;
    return std::nullopt;
  }
  settings->sms_url = options.settings.sms_url;
  settings->callbacks_anywhere = options.settings.callbacks_anywhere;
  options.settings = *std::move(settings);
  return options;
}

}  // namespace tocsin::sim
