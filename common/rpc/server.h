// The gRPC server of Tocsin's services: limits, health, reflection.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace tocsin::rpc {

struct ServerSettings {
  std::string address;                          // host:port; port 0: any
  int max_message_bytes = 4 * 1024 * 1024;      // of requests and of responses
  int max_concurrent_streams = 1000;            // per connection
  std::vector<std::string> names = {};          // full names of the services, for health
  size_t memory_bytes = 256u * 1024 * 1024;     // quota of all connections together
  std::chrono::milliseconds max_idle{120'000};  // a connection without requests is closed then
};

// Serves `services` (which must outlive it) with grpc.health.v1 and reflection. Threads are gRPC's
// own; handlers must not block. A request that cannot be parsed fails with UnparsableRequestError()
// before a handler sees it, except on client streams, whose handlers parse each message themselves.
// Connections get a GOAWAY after five minutes, so that new replicas get their share, and are closed
// after ten. gRPC 1.51 has no limit for the number of connections: the memory quota bounds them.
class Server {
 public:
  static Result<std::unique_ptr<Server>> Start(const ServerSettings& settings,
                                               const std::vector<grpc::Service*>& services);
  ~Server();  // Drain(now)

  int port() const { return port_; }

  // Health of the server ("") and of each service. NOT_SERVING sends clients that watch it to
  // another replica: use it for shutdown. "liveness" is SERVING as long as the server exists.
  void SetServing(bool serving);

  // Health of the name "readiness", for probes: whether the dependencies of the process serve. The
  // other names do not follow it: clients get an error with its reason instead.
  void SetReady(bool ready);

  // Accepts no more requests; blocks until those in flight have ended, at most until `deadline`,
  // then cancels them. Safe to call again.
  void Drain(std::chrono::system_clock::time_point deadline);

 private:
  Server() = default;

  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> names_;
  int port_ = 0;
};

}  // namespace tocsin::rpc
