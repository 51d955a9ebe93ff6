// An HTTP server on loopback that serves many connections and holds responses back.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/common/twilio/rest/loopback.h"

namespace tocsin::twilio {

// Responds to each complete request at once, or, if `holds` returns true for it, after Release().
// `holds` is called on threads of the server, one at a time.
class HoldingServer {
 public:
  using Holds = std::function<bool(const std::string& request)>;

  HoldingServer(std::string response, Holds holds);  // listens on a free port
  ~HoldingServer();                                  // closes all connections
  HoldingServer(const HoldingServer&) = delete;
  HoldingServer& operator=(const HoldingServer&) = delete;

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(listener_.port); }

  void Release();                       // responds to all that are held, and holds no more
  void WaitForClosed(int connections);  // until clients have closed so many connections

  std::vector<std::string> Requests() const;
  int Connections() const;  // accepted

 private:
  void Run();
  void Serve(int connection);

  const std::string response_;
  const Holds holds_;
  const Listener listener_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool released_ = false;
  int closed_ = 0;
  std::vector<std::string> requests_;
  std::vector<int> connections_;  // descriptors, open until the server ends
  std::vector<std::thread> serving_;
  std::thread accepting_;
};

}  // namespace tocsin::twilio
