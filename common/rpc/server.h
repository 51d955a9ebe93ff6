// A gRPC server with the bounds, health and reflection that all of Tocsin's services have.
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
  std::string address;                       // host:port; port 0: any
  int max_message_bytes = 4 * 1024 * 1024;   // either way
  int max_concurrent_streams = 1000;         // a connection
  std::vector<std::string> names = {};       // full names of the services, for health
  size_t memory_bytes = 256u * 1024 * 1024;  // for all connections together
};

// Serves `services` (which must outlive it) with grpc.health.v1 and reflection. Threads are gRPC's
// own; handlers must not block. A request that cannot be parsed is answered UnreadableError()
// before a handler sees it, but for streams from callers, which parse their frames themselves.
// Connections are asked to end after five minutes, so that new replicas get their share, and cut
// after ten.
class Server {
 public:
  static Result<std::unique_ptr<Server>> Start(const ServerSettings& settings,
                                               const std::vector<grpc::Service*>& services);
  ~Server();  // Drain(now)

  int port() const { return port_; }

  // Health of the whole server and of each service: NOT_SERVING sends clients that watch it
  // elsewhere, so it is for leaving. "liveness" is serving as long as the server is.
  void SetServing(bool serving);

  // Health of the name "readiness", for probes: whether the process can do its work. Callers are
  // better served by an error with its reason, so the other names do not follow it.
  void SetReady(bool ready);

  // Takes no more calls; waits for those in flight until `deadline`, then cuts them. May be called
  // again.
  void Drain(std::chrono::system_clock::time_point deadline);

 private:
  Server() = default;

  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> names_;
  int port_ = 0;
};

}  // namespace tocsin::rpc
