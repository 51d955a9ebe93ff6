#include "tools/tocsin/service_client.h"

#include <sstream>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

using std::chrono::system_clock;

constexpr std::chrono::milliseconds kDefaultRetryDelay{500};
constexpr int kKeepaliveMs = 20'000;  // the services allow a ping every 10 s

// 1500 ms -> "1.5 s"
std::string SecondsOf(std::chrono::milliseconds duration) {
  std::ostringstream text;
  text << std::chrono::duration<double>(duration).count() << " s";
  return text.str();
}

}  // namespace

Error ToError(const google::rpc::Status& status) {
  Error error{.code = ErrorCode::kInternal, .message = status.message()};
  for (const auto& detail : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) {
      error.code = ErrorCodeNamed(info.reason()).value_or(error.code);
      if (error.message.empty()) error.message = info.reason();
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

void ServiceOptions::AddTo(CLI::App& command, const std::string& variable,
                           const std::string& timeout_help) {
  address_variable = variable;
  command.add_option("--address", address, "address of the service")
      ->envname(variable)
      ->type_name("HOST:PORT");
  command.add_option("--api-key-file", api_key_file, "file with the API key")
      ->envname("TOCSIN_API_KEY_FILE")
      ->type_name(kFile);
  AddSeconds(command, "--timeout", timeout_seconds, 0.1, 3600, timeout_help);
}

Result<ServiceClient> ServiceClient::Create(const ServiceOptions& options) {
  if (options.address.empty())
    return Fail(ErrorCode::kInvalidArgument, "is required; or set " + options.address_variable,
                "--address");
  if (options.api_key_file.empty())
    return Fail(ErrorCode::kInvalidArgument, "is required; or set TOCSIN_API_KEY_FILE",
                "--api-key-file");
  ServiceClient client;
  client.address_ = options.address;
  TOCSIN_TRY(client.api_key_, ReadSecretFile(options.api_key_file));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // a watch may be silent for hours
  client.channel_ =
      grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
  client.timeout_ = std::chrono::milliseconds(static_cast<long>(options.timeout_seconds * 1000));
  return client;
}

void ServiceClient::Authorize(grpc::ClientContext& context) const {
  context.AddMetadata("authorization", "Bearer " + api_key_.Reveal());
}

Error ServiceClient::Unreachable(const std::string& why) const {
  return {.code = ErrorCode::kUnreachable,
          .message = address_ + " is unreachable" + (why.empty() ? "" : ": " + why)};
}

// A status without details is from gRPC itself, not from the service.
Error ServiceClient::ToError(const grpc::Status& status) const {
  google::rpc::Status details;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details()))
    return cli::ToError(details);
  const auto error = [&](ErrorCode code, const std::string& text) {
    const std::string& message = status.error_message();
    return Error{.code = code, .message = message.empty() ? address_ + ": " + text : message};
  };
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE: return Unreachable(status.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Unreachable("no response within " + SecondsOf(timeout_));
    case grpc::StatusCode::UNAUTHENTICATED:
      return error(ErrorCode::kUnauthenticated, "unauthenticated");
    case grpc::StatusCode::PERMISSION_DENIED:
      return error(ErrorCode::kPermissionDenied, "permission denied");
    case grpc::StatusCode::UNIMPLEMENTED:
      return {.code = ErrorCode::kUnimplemented,
              .message = address_ + " does not serve this method; check the address"};
    default:
      return error(ErrorCode::kInternal,
                   "gRPC status " + std::to_string(static_cast<int>(status.error_code())));
  }
}

Status ServiceClient::Call(const std::function<grpc::Status(grpc::ClientContext&)>& request) const {
  const auto deadline = system_clock::now() + timeout_;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    Authorize(context);
    const grpc::Status status = request(context);
    if (status.ok()) return {};
    const Error error = ToError(status);
    const auto delay = error.retry_after.value_or(kDefaultRetryDelay);
    const bool retry = status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                       system_clock::now() + delay < deadline;
    if (!retry) return Fail(error);
    std::this_thread::sleep_for(delay);
  }
}

Status ServiceClient::Follow(
    const std::function<grpc::Status(grpc::ClientContext&, const OnResponse&)>& read) const {
  auto deadline = system_clock::now() + timeout_;
  while (channel_->WaitForConnected(deadline)) {
    grpc::ClientContext context;
    Authorize(context);
    bool responded = false;
    const grpc::Status status = read(context, [&responded] { responded = true; });
    if (status.ok()) return {};
    if (responded) deadline = system_clock::now() + timeout_;
    const Error error = ToError(status);
    const auto delay = error.retry_after.value_or(kDefaultRetryDelay);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
        system_clock::now() + delay >= deadline)
      return Fail(error);
    std::this_thread::sleep_for(delay);
  }
  return Fail(Unreachable("no connection within " + SecondsOf(timeout_)));
}

}  // namespace tocsin::cli
