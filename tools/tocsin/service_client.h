// A connection to one of Tocsin's gRPC services.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "google/rpc/status.pb.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {

// Options of a command that sends requests to a service.
struct ServiceOptions {
  std::string address;
  std::string api_key_file;
  double timeout_seconds = 15;
  std::string address_variable = {};

  // `variable` holds the address: TOCSIN_INGRESS_GRPC or TOCSIN_AUDIT_GRPC. `timeout_help`
  // describes --timeout.
  void AddTo(CLI::App& command, const std::string& variable,
             const std::string& timeout_help = "timeout of each request, including retries");
};

// The error in the details of a google.rpc.Status.
Error ToError(const google::rpc::Status& status);

// Sends requests to one service with the API key. Blocking.
class ServiceClient {
 public:
  // Fails with kInvalidArgument if an option is missing or the key cannot be read. Does not
  // connect.
  static Result<ServiceClient> Create(const ServiceOptions& options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Repeats `request` until it succeeds, fails with an error that is not UNAVAILABLE, or the
  // timeout is over. Waits between attempts as the error asks. `request` gets a new context each
  // time.
  Status Call(const std::function<grpc::Status(grpc::ClientContext&)>& request) const;

  // Reads a stream of any duration. `read` gets a new context each time, calls `on_response` for
  // each response and returns the status of the stream. Reopens a stream that ends with
  // UNAVAILABLE, until there was no response for the timeout.
  using OnResponse = std::function<void()>;
  Status Follow(
      const std::function<grpc::Status(grpc::ClientContext&, const OnResponse&)>& read) const;

 private:
  void Authorize(grpc::ClientContext& context) const;
  Error ToError(const grpc::Status& status) const;
  Error Unreachable(const std::string& why) const;

  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  Secret api_key_;
  std::chrono::milliseconds timeout_{};
};

}  // namespace tocsin::cli
