// A TCP server on loopback that follows a script: one step for each request, in order.
#pragma once

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/common/twilio/rest/loopback.h"

namespace tocsin::twilio {

struct Step {
  enum class Read { kNothing, kSomething, kRequest };  // before it responds
  enum class End {
    kKeep,   // waits for the next request on the same connection
    kClose,  // orderly
    kReset,
    kGone,  // as kClose, and refuses further connections
    kHold,  // sends nothing more until the client closes
    kDrip,  // sends one byte every 10 ms until the client closes
  };
  Read read = Read::kRequest;
  std::string response = {};
  End end = End::kKeep;
};

class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Step> script);  // listens on a free port
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string Url(const std::string& scheme = "http") const;
  std::vector<std::string> Requests() const;  // complete ones, header section and body
  int Connections() const;

 private:
  void Run();
  void Serve(int connection);
  bool Perform(int connection, const Step& step);
  bool ReadRequest(int connection);

  const std::vector<Step> script_;
  const Listener listener_;
  mutable std::mutex mutex_;
  size_t next_ = 0;
  bool stopping_ = false;
  int current_ = -1;
  int connections_ = 0;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace tocsin::twilio
