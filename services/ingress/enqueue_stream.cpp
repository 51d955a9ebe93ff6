#include "services/ingress/enqueue_stream.h"

#include <atomic>
#include <utility>

#include "common/rpc/errors.h"

namespace tocsin::ingress {

namespace {

constexpr std::chrono::milliseconds kAgain{1};  // a stream of this caller can begin at once

Error TooOldError() {
  return {.code = ErrorCode::kOverloaded,
          .message =
              "a stream ends after some minutes; frames without an answer were not taken: "
              "send them on a new one",
          .retry_after = kAgain};
}

}  // namespace

struct EnqueueStream::Frame {
  v1::EnqueueStreamResponse response;
  grpc::ByteBuffer bytes;  // of the response, as it is written
  std::atomic<int> open;
  const SteadyTime began = std::chrono::steady_clock::now();
};

EnqueueStream::EnqueueStream(std::string client_id, TraceContext trace, Acceptance& acceptance,
                             const AlertServiceObserver& observer, SteadyTime::duration life)
    : client_id_(std::move(client_id)),
      trace_(std::move(trace)),
      acceptance_(acceptance),
      observer_(observer),
      ends_(std::chrono::steady_clock::now() + life) {
  Advance(std::unique_lock(mutex_));
}

void EnqueueStream::OnReadDone(bool ok) {
  std::unique_lock lock(mutex_);
  reading_ = false;
  if (!ok) {
    read_end_ = true;
    return Advance(std::move(lock));
  }
  if (finished_) return;  // it came when the call had its end: the caller knows it was not taken
  v1::EnqueueStreamRequest request;
  if (!grpc::SerializationTraits<v1::EnqueueStreamRequest>::Deserialize(&incoming_, &request).ok())
    return EndWith(std::move(lock), rpc::UnreadableError());
  Take(std::move(lock), request);
}

void EnqueueStream::Take(std::unique_lock<std::mutex> lock,
                         const v1::EnqueueStreamRequest& request) {
  const auto frame = std::make_shared<Frame>();
  // One more than the alerts: the frame is not answered while its last alerts are still being
  // handed in.
  frame->open = request.alerts_size() + 1;
  frame->response.set_frame(request.frame());
  for (int i = 0; i < request.alerts_size(); ++i) frame->response.add_results();
  ++open_;
  if (frame->began >= ends_) {
    EndWith(std::move(lock), TooOldError());
  } else {
    Advance(std::move(lock));
  }
  const bool too_many = request.alerts_size() > kMaxFrame;
  for (int i = 0; i < request.alerts_size(); ++i) {
    if (too_many) {
      Answered(frame, i,
               Fail(ErrorCode::kTooManyItems, "a frame has at most 100 alerts", "alerts"));
    } else {
      acceptance_.Enqueue(client_id_, request.alerts(i), trace_.Text(),
                          [this, frame, i](Result<v1::EnqueueResponse> result) {
                            Answered(frame, i, std::move(result));
                          });
    }
  }
  Answered(frame, -1, {});
}

// `index` -1 stands for the handing in of the frame itself.
void EnqueueStream::Answered(const std::shared_ptr<Frame>& frame, int index,
                             Result<v1::EnqueueResponse> result) {
  if (index >= 0) {
    v1::EnqueueResult& slot = *frame->response.mutable_results(index);
    if (result) {
      *slot.mutable_accepted() = *std::move(result);
      observer_.answered("EnqueueStream", "OK");
    } else {
      *slot.mutable_error() = rpc::ToRpcStatus(result.error());
      observer_.answered("EnqueueStream", TraitsOf(result.error().code).name);
    }
  }
  if (frame->open.fetch_sub(1) != 1) return;
  observer_.finished(
      {"EnqueueStream", "OK", "", trace_,
       std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - frame->began)});
  bool owned = false;
  grpc::SerializationTraits<v1::EnqueueStreamResponse>::Serialize(frame->response, &frame->bytes,
                                                                  &owned);
  std::unique_lock lock(mutex_);
  ready_.push_back(frame);
  Advance(std::move(lock));
}

void EnqueueStream::OnWriteDone(bool ok) {
  std::unique_lock lock(mutex_);
  writing_ = false;
  broken_ = broken_ || !ok;
  ready_.pop_front();
  --open_;
  Advance(std::move(lock));
}

void EnqueueStream::OnDone() {
  const auto ended = std::move(ended_);  // it outlives *this, which goes with the call
  ended();
}

void EnqueueStream::Leave() { EndWith(std::unique_lock(mutex_), rpc::LeavingError()); }

void EnqueueStream::EndWith(std::unique_lock<std::mutex> lock, const Error& error) {
  if (!end_) end_ = error;
  Advance(std::move(lock));
}

void EnqueueStream::Advance(std::unique_lock<std::mutex> lock) {
  if (broken_) {
    open_ -= static_cast<int>(ready_.size());  // nobody is there to read them
    ready_.clear();
  }
  if (!writing_ && !ready_.empty()) {
    writing_ = true;
    StartWrite(&ready_.front()->bytes);
  }
  if (!reading_ && !read_end_ && !end_ && open_ < kMaxOpenFrames) {
    reading_ = true;
    StartRead(&incoming_);
  }
  if ((read_end_ || end_) && open_ == 0 && !writing_ && !finished_) {
    finished_ = true;
    const grpc::Status status = read_end_ ? grpc::Status::OK : rpc::ToGrpcStatus(*end_);
    lock.unlock();
    Finish(status);
  }
}

}  // namespace tocsin::ingress
