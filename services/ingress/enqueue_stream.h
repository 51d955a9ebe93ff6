// One EnqueueStream: frames come in, each is answered when all its alerts are.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "services/ingress/alert_service.h"

namespace tocsin::ingress {

// gRPC is done with it after the last alert was answered; whoever holds it lets go then. At most
// kMaxOpenFrames frames are unanswered; then nothing more is read, and HTTP/2 holds the caller
// back. Frames come as bytes: of those that cannot be parsed gRPC would say that there are no more.
class EnqueueStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // At the first frame that comes after `life` the stream ends itself, when that one and those
  // before it are answered.
  EnqueueStream(std::string client_id, TraceContext trace, Acceptance& acceptance,
                const AlertServiceObserver& observer, SteadyTime::duration life);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  // `ended` is called once, when gRPC is done with the stream. To be set before gRPC has it.
  void OnEnd(std::function<void()> ended) { ended_ = std::move(ended); }

  // Reads no further frame and ends the call with rpc::LeavingError() when those read are answered.
  void Leave();

 private:
  struct Frame;

  void Take(std::unique_lock<std::mutex> lock, const v1::EnqueueStreamRequest& request);
  // Reads no further frame and ends the call with the first such error, when those read are
  // answered.
  void EndWith(std::unique_lock<std::mutex> lock, const Error& error);
  void Answered(const std::shared_ptr<Frame>& frame, int index, Result<v1::EnqueueResponse> result);
  // Starts what may be started, with the lock given; gives it back, for *this may be gone as
  // soon as the stream is finished.
  void Advance(std::unique_lock<std::mutex> lock);

  const std::string client_id_;
  const TraceContext trace_;
  Acceptance& acceptance_;
  const AlertServiceObserver& observer_;
  const SteadyTime ends_;

  std::mutex mutex_;
  grpc::ByteBuffer incoming_;
  std::deque<std::shared_ptr<Frame>> ready_;  // answered, not yet written
  int open_ = 0;                              // read and not yet written
  bool reading_ = false;
  bool writing_ = false;
  bool read_end_ = false;     // the caller has closed its side, or is gone
  bool broken_ = false;       // nothing can be written any more
  std::optional<Error> end_;  // why nothing more is read, though the caller may still write
  bool finished_ = false;
  std::function<void()> ended_ = [] {};
};

}  // namespace tocsin::ingress
