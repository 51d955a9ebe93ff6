// One EnqueueStream: frames come in, each is answered when all its alerts are.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "services/ingress/alert_service.h"

namespace tocsin::ingress {

// Deletes itself when gRPC is done with it, which is after the last alert was answered. At most
// kMaxOpenFrames frames are unanswered; then nothing more is read, and HTTP/2 holds the caller
// back.
class EnqueueStream final
    : public grpc::ServerBidiReactor<v1::EnqueueStreamRequest, v1::EnqueueStreamResponse> {
 public:
  EnqueueStream(std::string client_id, std::string traceparent, Acceptance& acceptance,
                const AlertServiceObserver& observer);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  struct Frame;

  void Answered(const std::shared_ptr<Frame>& frame, int index, Result<v1::EnqueueResponse> result);
  // Starts what may be started, with the lock given; gives it back, for gRPC may delete *this as
  // soon as the stream is finished.
  void Advance(std::unique_lock<std::mutex> lock);

  const std::string client_id_;
  const std::string traceparent_;
  Acceptance& acceptance_;
  const AlertServiceObserver& observer_;

  std::mutex mutex_;
  v1::EnqueueStreamRequest incoming_;
  std::deque<std::shared_ptr<Frame>> ready_;  // answered, not yet written
  int open_ = 0;                              // read and not yet written
  bool reading_ = false;
  bool writing_ = false;
  bool read_end_ = false;  // the caller has closed its side, or is gone
  bool broken_ = false;    // nothing can be written any more
  bool finished_ = false;
};

}  // namespace tocsin::ingress
