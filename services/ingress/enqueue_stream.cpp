#include "services/ingress/enqueue_stream.h"

#include <atomic>
#include <utility>

#include "common/rpc/errors.h"

namespace tocsin::ingress {

struct EnqueueStream::Frame {
  v1::EnqueueStreamResponse response;
  std::atomic<int> open;
  const SteadyTime began = std::chrono::steady_clock::now();
};

EnqueueStream::EnqueueStream(std::string client_id, TraceContext trace, Acceptance& acceptance,
                             const AlertServiceObserver& observer)
    : client_id_(std::move(client_id)),
      trace_(std::move(trace)),
      acceptance_(acceptance),
      observer_(observer) {
  Advance(std::unique_lock(mutex_));
}

void EnqueueStream::OnReadDone(bool ok) {
  if (!ok) {
    std::unique_lock lock(mutex_);
    reading_ = false;
    read_end_ = true;
    return Advance(std::move(lock));
  }
  v1::EnqueueStreamRequest request;
  const auto frame = std::make_shared<Frame>();
  {
    std::unique_lock lock(mutex_);
    if (finished_) return;  // it came when the call had its end: the caller knows it was not taken
    request.Swap(&incoming_);
    reading_ = false;
    ++open_;
    // One more than the alerts: the frame is not answered while its last alerts are still being
    // handed in.
    frame->open = request.alerts_size() + 1;
    frame->response.set_frame(request.frame());
    for (int i = 0; i < request.alerts_size(); ++i) frame->response.add_results();
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

void EnqueueStream::Leave() {
  std::unique_lock lock(mutex_);
  leaving_ = true;
  Advance(std::move(lock));
}

void EnqueueStream::Advance(std::unique_lock<std::mutex> lock) {
  if (broken_) {
    open_ -= static_cast<int>(ready_.size());  // nobody is there to read them
    ready_.clear();
  }
  if (!writing_ && !ready_.empty()) {
    writing_ = true;
    StartWrite(&ready_.front()->response);
  }
  if (!reading_ && !read_end_ && !leaving_ && open_ < kMaxOpenFrames) {
    reading_ = true;
    StartRead(&incoming_);
  }
  if ((read_end_ || leaving_) && open_ == 0 && !writing_ && !finished_) {
    finished_ = true;
    const bool whole = read_end_;
    lock.unlock();
    Finish(whole ? grpc::Status::OK : rpc::ToGrpcStatus(LeavingError()));
  }
}

}  // namespace tocsin::ingress
