#include "tools/tocsin/service_client.h"

#include <chrono>
#include <thread>

#include "google/rpc/error_details.pb.h"

namespace tocsin::cli {
namespace {

constexpr std::chrono::milliseconds kDefaultRetry{500};
constexpr int kPingMs = 20'000;  // finds a silent connection dead; the services take one every 10 s

// Without details it was gRPC itself that failed.
Error ToError(const grpc::Status& status) {
  google::rpc::Status details;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details()))
    return cli::ToError(details);
  const bool unreachable = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                           status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return {.code = unreachable ? ErrorCode::kOverloaded : ErrorCode::kInternal,
          .message = status.error_message()};
}

}  // namespace

Error ToError(const google::rpc::Status& status) {
  Error error{.code = ErrorCode::kInternal, .message = status.message()};
  for (const auto& detail : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) {
      error.code = ErrorCodeNamed(info.reason()).value_or(error.code);
      if (const auto it = info.metadata().find("field"); it != info.metadata().end())
        error.field = it->second;
      if (const auto it = info.metadata().find("alertId"); it != info.metadata().end())
        error.subject = it->second;
    } else if (detail.UnpackTo(&retry)) {
      error.retry_after = std::chrono::milliseconds(retry.retry_delay().seconds() * 1000 +
                                                    retry.retry_delay().nanos() / 1'000'000);
    }
  }
  return error;
}

void ServiceOptions::AddTo(CLI::App& command, const std::string& address_variable,
                           const std::string& meaning) {
  command.add_option("--address", address, "host:port of the service")
      ->envname(address_variable)
      ->required();
  command.add_option("--api-key-file", api_key_file, "file that holds the API key")
      ->envname("TOCSIN_API_KEY_FILE")
      ->required();
  command.add_option("--timeout", timeout_seconds, meaning)
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
}

Result<ServiceClient> ServiceClient::Connect(const ServiceOptions& options) {
  if (options.address.empty()) return Fail(ErrorCode::kInvalidConfig, "is required", "--address");
  if (options.api_key_file.empty())
    return Fail(ErrorCode::kInvalidConfig, "is required", "--api-key-file");
  ServiceClient client;
  TOCSIN_TRY(client.api_key_, ReadSecretFile(options.api_key_file));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // a watch may hear nothing for hours
  client.channel_ =
      grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
  client.timeout_ = std::chrono::milliseconds(static_cast<long>(options.timeout_seconds * 1000));
  return client;
}

void ServiceClient::Authorize(grpc::ClientContext& context) const {
  context.AddMetadata("authorization", "Bearer " + api_key_.Reveal());
}

Result<void> ServiceClient::Call(
    const std::function<grpc::Status(grpc::ClientContext&)>& call) const {
  const auto deadline = std::chrono::system_clock::now() + timeout_;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    Authorize(context);
    const grpc::Status status = call(context);
    if (status.ok()) return {};
    const Error error = ToError(status);
    const auto wait = error.retry_after.value_or(kDefaultRetry);
    const bool again = status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                       std::chrono::system_clock::now() + wait < deadline;
    if (!again) return Fail(error);
    std::this_thread::sleep_for(wait);
  }
}

Result<void> ServiceClient::Follow(
    const std::function<grpc::Status(grpc::ClientContext&, const Heard&)>& read) const {
  auto limit = std::chrono::system_clock::now() + timeout_;
  while (channel_->WaitForConnected(limit)) {
    grpc::ClientContext context;
    Authorize(context);
    bool heard = false;
    const grpc::Status status = read(context, [&heard] { heard = true; });
    if (status.ok()) return {};
    if (heard) limit = std::chrono::system_clock::now() + timeout_;
    const Error error = ToError(status);
    const auto wait = error.retry_after.value_or(kDefaultRetry);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
        std::chrono::system_clock::now() + wait >= limit)
      return Fail(error);
    std::this_thread::sleep_for(wait);
  }
  return Fail(ErrorCode::kOverloaded, "the service cannot be reached");
}

}  // namespace tocsin::cli
