#include "services/ingress/rpc/enqueue_stream.h"

#include <atomic>
#include <utility>

#include "common/rpc/errors.h"

namespace tocsin::ingress {

namespace {

constexpr std::string_view kMethod = "EnqueueStream";
constexpr std::chrono::milliseconds kRetryDelay{1};  // a new stream can start at once

Error MaxAgeError() {
  return {.code = ErrorCode::kOverloaded,
          .message =
              "the maximum stream age is reached; requests without a response were not "
              "accepted: send them on a new stream",
          .retry_after = kRetryDelay};
}

Error NoAlertsError() {
  return {.code = ErrorCode::kInvalidArgument,
          .message = "a request has 1 to 100 alerts",
          .field = "alerts"};
}

}  // namespace

struct EnqueueStream::OpenRequest {
  v1::EnqueueStreamResponse response;
  grpc::ByteBuffer bytes;  // of the response, while it is written
  std::atomic<int> open;   // alerts without a result, and one for Process()
  const SteadyTime start = std::chrono::steady_clock::now();
};

EnqueueStream::EnqueueStream(std::string client_id, TraceContext trace, Acceptance& acceptance,
                             const AlertServiceObserver& observer, SteadyTime::duration max_age)
    : client_id_(std::move(client_id)),
      trace_(std::move(trace)),
      acceptance_(acceptance),
      observer_(observer),
      max_age_time_(std::chrono::steady_clock::now() + max_age) {
  Advance(std::unique_lock(mutex_));
}

void EnqueueStream::OnReadDone(bool ok) {
  std::unique_lock lock(mutex_);
  reading_ = false;
  if (!ok) {
    read_end_ = true;
    return Advance(std::move(lock));
  }
  if (finished_) return;  // read after the end: the client knows that it was not accepted
  v1::EnqueueStreamRequest request;
  if (!grpc::SerializationTraits<v1::EnqueueStreamRequest>::Deserialize(&incoming_, &request).ok())
    return EndWith(std::move(lock), rpc::UnparsableRequestError());
  // The response has no place for an error of the request itself.
  if (request.alerts().empty()) {
    observer_.result(kMethod, ErrorCode::kInvalidArgument);
    return EndWith(std::move(lock), NoAlertsError());
  }
  Process(std::move(lock), request);
}

void EnqueueStream::Process(std::unique_lock<std::mutex> lock,
                            const v1::EnqueueStreamRequest& request) {
  const auto open = std::make_shared<OpenRequest>();
  // One more than the alerts: the response is not complete while alerts are still being enqueued.
  open->open = request.alerts_size() + 1;
  open->response.set_request_id(request.request_id());
  for (int i = 0; i < request.alerts_size(); ++i) open->response.add_results();
  ++open_;
  if (open->start >= max_age_time_) {
    EndWith(std::move(lock), MaxAgeError());
  } else {
    Advance(std::move(lock));
  }
  const bool too_many = request.alerts_size() > kMaxStreamRequestAlerts;
  for (int i = 0; i < request.alerts_size(); ++i) {
    if (too_many) {
      SetResult(open, i,
                Fail(ErrorCode::kTooManyItems, "a request has at most 100 alerts", "alerts"));
    } else {
      acceptance_.Enqueue(client_id_, request.alerts(i), trace_.Text(),
                          [this, open, i](Result<v1::EnqueueResponse> result) {
                            SetResult(open, i, std::move(result));
                          });
    }
  }
  Release(open);
}

void EnqueueStream::SetResult(const std::shared_ptr<OpenRequest>& request, int index,
                              Result<v1::EnqueueResponse> result) {
  v1::EnqueueResult& item = *request->response.mutable_results(index);
  if (result) {
    observer_.result(kMethod, std::nullopt);
    *item.mutable_accepted() = *std::move(result);
  } else {
    observer_.result(kMethod, result.error().code);
    *item.mutable_error() = rpc::ToRpcStatus(result.error());
  }
  Release(request);
}

// Writes the response when nothing of it is open any more.
void EnqueueStream::Release(const std::shared_ptr<OpenRequest>& request) {
  if (request->open.fetch_sub(1) != 1) return;
  observer_.finished(
      {kMethod, std::nullopt, "", trace_,
       std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - request->start)});
  bool owned = false;
  grpc::SerializationTraits<v1::EnqueueStreamResponse>::Serialize(request->response,
                                                                  &request->bytes, &owned);
  std::unique_lock lock(mutex_);
  ready_.push_back(request);
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
  const auto ended = std::move(ended_);  // outlives *this, which its owner deletes
  ended();
}

void EnqueueStream::ShutDown() { EndWith(std::unique_lock(mutex_), rpc::ShuttingDownError()); }

void EnqueueStream::EndWith(std::unique_lock<std::mutex> lock, const Error& error) {
  if (!end_) end_ = error;
  Advance(std::move(lock));
}

void EnqueueStream::Advance(std::unique_lock<std::mutex> lock) {
  if (broken_) {
    open_ -= static_cast<int>(ready_.size());  // nobody reads them
    ready_.clear();
  }
  if (!writing_ && !ready_.empty()) {
    writing_ = true;
    StartWrite(&ready_.front()->bytes);
  }
  if (!reading_ && !read_end_ && !end_ && open_ < kMaxOpenStreamRequests) {
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
