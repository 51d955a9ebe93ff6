// Runs libcurl's transfers on an event loop.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/async/event_loop.h"
#include "common/async/task.h"
#include "common/twilio/rest/loop_timer.h"
#include "common/twilio/rest/transfer.h"

namespace tocsin::twilio {

// Transfers in progress, and the connections that they share. HTTP/1.1: a connection has one
// transfer at a time. libcurl reuses the first idle connection in the order of their opening, so
// that the others become old and are closed. Used on the loop's thread.
class Transfers {
 public:
  // `loop` and `settings` outlive the object.
  Transfers(EventLoop& loop, const RestSettings& settings);
  ~Transfers();  // all tasks must have ended
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  // If the task is destroyed before the transfer ended, its connection is closed.
  Task<HttpExchange> Perform(HttpRequest request);

  std::uint64_t started() const { return started_; }
  std::uint64_t connections() const { return connections_; }  // opened

 private:
  struct InProgress;

  // A descriptor of libcurl. That of a connection keeps its watcher, and what it watches for, from
  // one transfer to the next: that saves six system calls for each transfer.
  struct Socket {
    bool connection = false;
    bool used = false;                             // by a transfer
    unsigned events = FdWatcher::kNone;            // of the watcher
    std::unique_ptr<FdWatcher> watcher = nullptr;  // null: none yet
  };

  struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  struct ShareDeleter {
    void operator()(CURLSH* share) const { curl_share_cleanup(share); }
  };

  static int OnSocket(CURL*, curl_socket_t socket, int events, void* user, void* watcher);
  static curl_socket_t OnOpen(void* user, curlsocktype, curl_sockaddr* address);
  static int OnClose(void* user, curl_socket_t socket);
  static int OnTimer(CURLM*, long timeout_ms, void* user);

  void HandleReady(curl_socket_t socket, unsigned ready);
  void Start(InProgress& transfer);
  void Remove(const EasyHandle& handle);
  void LimitIdleConnections();
  void Advance(curl_socket_t socket, int events);
  void CollectEnded();
  void ResumeEnded();

  EventLoop& loop_;
  const RestSettings& settings_;
  // libcurl's handles follow what they use: members are destroyed from the last to the first.
  const std::unique_ptr<CURLSH, ShareDeleter> share_;
  std::unordered_map<curl_socket_t, Socket> sockets_;
  std::optional<SteadyTime> due_;  // libcurl's next timeout
  LoopTimer timer_;
  const std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::vector<EasyHandle> idle_;
  std::size_t in_progress_ = 0;
  std::deque<InProgress*> ended_;  // to resume
  bool resuming_ = false;
  std::uint64_t started_ = 0;
  std::uint64_t connections_ = 0;
};

}  // namespace tocsin::twilio
