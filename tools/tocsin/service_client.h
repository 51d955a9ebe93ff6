// A connection to one of Tocsin's gRPC services.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "google/rpc/status.pb.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {

// Options of a command that calls a service, with their environment names.
struct ServiceOptions {
  std::string address;
  std::string api_key_file;
  double timeout_seconds = 15;

  // `address_variable` such as TOCSIN_INGRESS_GRPC; `meaning` is that of --timeout.
  void AddTo(CLI::App& command, const std::string& address_variable,
             const std::string& meaning = "seconds for each call, its repetitions included");
};

// What a service says of a refusal: the details of google.rpc.
Error ToError(const google::rpc::Status& status);

// One service, with the API key ready. Blocking.
class ServiceClient {
 public:
  static Result<ServiceClient> Connect(const ServiceOptions& options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Calls until it succeeds, is refused for good, or the time is over; a refusal that names a wait
  // is tried again after it. `call` gets a fresh context each time.
  Result<void> Call(const std::function<grpc::Status(grpc::ClientContext&)>& call) const;

  // Reads a stream that lasts as long as it lasts. `read` gets a fresh context each time and tells
  // how the stream ended; it calls `heard` for each answer. A stream that breaks is opened again,
  // until the service has been away for the time of --timeout.
  using Heard = std::function<void()>;
  Result<void> Follow(
      const std::function<grpc::Status(grpc::ClientContext&, const Heard& heard)>& read) const;

 private:
  void Authorize(grpc::ClientContext& context) const;

  std::shared_ptr<grpc::Channel> channel_;
  Secret api_key_;
  std::chrono::milliseconds timeout_{};
};

}  // namespace tocsin::cli
