// One EnqueueStream: each request gets its response when all its alerts have results.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "services/ingress/rpc/alert_service.h"

namespace tocsin::ingress {

// At most kMaxOpenStreamRequests requests are without a response; then nothing is read, and HTTP/2
// flow control stops the client. Requests are read as bytes: gRPC would report one that cannot be
// parsed as the end of the stream. gRPC is done with the object after the last response (OnEnd);
// its owner may then release it.
class EnqueueStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // At the first request after `max_age` the stream ends itself, when that request and those before
  // it have responses.
  EnqueueStream(std::string client_id, TraceContext trace, Acceptance& acceptance,
                const AlertServiceObserver& observer, SteadyTime::duration max_age);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  // `ended` is called once, when gRPC is done with the stream. To be set before gRPC has it.
  void OnEnd(std::function<void()> ended) { ended_ = std::move(ended); }

  // Reads no more and ends the stream with rpc::ShuttingDownError() when the requests that were
  // read have responses.
  void ShutDown();

 private:
  struct OpenRequest;

  void Process(std::unique_lock<std::mutex> lock, const v1::EnqueueStreamRequest& request);
  // Reads no more and ends the stream with the first such error, when the requests that were read
  // have responses.
  void EndWith(std::unique_lock<std::mutex> lock, const Error& error);
  void SetResult(const std::shared_ptr<OpenRequest>& request, int index,
                 Result<v1::EnqueueResponse> result);
  void Release(const std::shared_ptr<OpenRequest>& request);
  // Starts the next read, write and the end if possible. Takes the lock, because *this may be
  // deleted as soon as the stream is finished.
  void Advance(std::unique_lock<std::mutex> lock);

  const std::string client_id_;
  const TraceContext trace_;
  Acceptance& acceptance_;
  const AlertServiceObserver& observer_;
  const SteadyTime max_age_time_;

  std::mutex mutex_;
  grpc::ByteBuffer incoming_;
  std::deque<std::shared_ptr<OpenRequest>> ready_;  // complete, not yet written
  int open_ = 0;                                    // read and not yet written
  bool reading_ = false;
  bool writing_ = false;
  bool read_end_ = false;     // the client has closed its side or is gone
  bool broken_ = false;       // writes fail
  std::optional<Error> end_;  // why nothing more is read although the client may still write
  bool finished_ = false;
  std::function<void()> ended_ = [] {};
};

}  // namespace tocsin::ingress
