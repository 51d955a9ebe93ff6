#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

#include "common/base/digest.h"
#include "common/config/secret_file.h"
#include "common/twilio/signature.h"
#include "tests/load/load.h"

namespace tocsin::load {
namespace {

constexpr const char* kTarget = "/twilio/sms/status";
constexpr size_t kAnswerBytes = 4096;  // more than the ingress ever answers

struct Options {
  std::string address;
  std::string public_url;
  std::string account;
  std::string token_file;
  std::uint64_t count = 50'000;
  int connections = 64;
  double rate = 0;
};

// A whole status callback, signed, for a message that nobody else tells of.
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

// A blocking keep-alive connection, for one thread.
class Connection {
 public:
  explicit Connection(const std::string& address) {
    const size_t colon = address.rfind(':');
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &wanted,
                    &found) != 0)
      return;
    fd_ = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd_, found->ai_addr, found->ai_addrlen) != 0) Close();
    freeaddrinfo(found);
  }
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The status of the answer; 0 when there was none. An answer here has no body.
  int Ask(std::string_view request) {
    while (!request.empty()) {
      const ssize_t sent = send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
      if (sent <= 0) return 0;
      request.remove_prefix(static_cast<size_t>(sent));
    }
    std::string answer;
    char buffer[kAnswerBytes];
    while (!answer.ends_with("\r\n\r\n")) {
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0 || answer.size() > kAnswerBytes) return 0;
      answer.append(buffer, static_cast<size_t>(got));
    }
    return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
  }

 private:
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_ = -1;
};

Result<int> Drive(const Options& options) {
  const auto token = config::ReadSecretFile(options.token_file);
  if (!token) return Fail(ErrorCode::kInvalidConfig, token.error().reason, "--token-file");
  std::vector<std::string> requests;  // signed beforehand: the ingress is to be measured
  requests.reserve(options.count);
  for (std::uint64_t i = 0; i < options.count; ++i)
    requests.push_back(RequestOf(options, token->value));

  Measure measure(options.count);
  const Schedule schedule(options.rate);
  std::atomic<std::uint64_t> next{0};
  const auto serve = [&] {
    auto connection = std::make_unique<Connection>(options.address);
    for (std::uint64_t i = next.fetch_add(1); i < options.count; i = next.fetch_add(1)) {
      const auto begin = schedule.Await(i);
      const int status = connection->Ask(requests[i]);
      if (status == 204) {
        measure.Done(begin);
        continue;
      }
      measure.Failed("status " + std::to_string(status));
      connection = std::make_unique<Connection>(options.address);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < options.connections; ++i) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
  return measure.Tell();
}

}  // namespace

void AddWebhooks(CLI::App& app, Run& run) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("webhooks", "signed status callbacks");
  command.add_option("--address", options->address, "host:port of the ingress for Twilio")
      ->envname("TOCSIN_INGRESS_HTTP")
      ->required();
  command.add_option("--public-url", options->public_url, "what the signature covers")
      ->envname("TOCSIN_PUBLIC_BASE_URL")
      ->required();
  command.add_option("--account", options->account)
      ->envname("TOCSIN_TWILIO_ACCOUNT_SID")
      ->required();
  command.add_option("--token-file", options->token_file)
      ->envname("TOCSIN_TWILIO_AUTH_TOKEN_FILE")
      ->required();
  command.add_option("--count", options->count)->capture_default_str();
  command.add_option("--connections", options->connections)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--rate", options->rate, "requests a second, open loop; 0: as answered");
  command.callback([options, &run] { run = [options] { return Drive(*options); }; });
}

}  // namespace tocsin::load
