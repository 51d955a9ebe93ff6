// A TCP server on loopback that misbehaves as told: one step for each request, in their order.
#pragma once

#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tocsin::twilio {

struct Step {
  enum class Read { kNothing, kSomething, kRequest };  // before it answers
  enum class End {
    kKeep,   // waits for the next request on the same connection
    kClose,  // orderly
    kReset,
    kGone,  // as kClose, and refuses connections from then on
    kHold,  // says nothing more until the client goes
    kDrip,  // one more byte every 10 ms until the client goes
  };
  Read read = Read::kRequest;
  std::string answer = {};
  End end = End::kKeep;
};

// An HTTP/1.1 answer with its Content-Length; `headers` end in CRLF each.
std::string HttpAnswer(int status, const std::string& body, const std::string& headers = "");

class ScriptServer {
 public:
  explicit ScriptServer(std::vector<Step> script);  // listens on a free port
  ~ScriptServer();
  ScriptServer(const ScriptServer&) = delete;
  ScriptServer& operator=(const ScriptServer&) = delete;

  std::string Url(const std::string& scheme = "http") const;
  std::vector<std::string> Requests() const;  // whole ones, head and body
  int Connections() const;

 private:
  void Run();
  void Serve(int connection);
  bool Act(int connection, const Step& step);
  bool ReadRequest(int connection);

  const std::vector<Step> script_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  size_t next_ = 0;
  bool stopping_ = false;
  int current_ = -1;
  int connections_ = 0;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace tocsin::twilio
