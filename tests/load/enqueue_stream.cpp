#include <algorithm>
#include <atomic>
#include <semaphore>
#include <thread>

#include "tests/load/enqueue.h"

namespace tocsin::load {
namespace {

constexpr int kMaxOpenRequests = 10;  // the limit of the ingress

// One stream per connection, with at most kMaxOpenRequests requests without a response.
class StreamRun {
 public:
  StreamRun(const EnqueueOptions& options, Connections connections)
      : options_(options),
        connections_(std::move(connections)),
        alerts_(options),
        measure_(options.count) {}

  Result<int> Run() {
    std::vector<std::thread> streams;
    for (const auto& stub : connections_.stubs)
      streams.emplace_back([this, &stub] { RunStream(*stub); });
    for (std::thread& stream : streams) stream.join();
    return measure_.Report();
  }

 private:
  using Stream = grpc::ClientReaderWriter<v1::EnqueueStreamRequest, v1::EnqueueStreamResponse>;

  // Of one stream: the thread that writes and the one that reads share it.
  struct Open {
    std::counting_semaphore<kMaxOpenRequests> room{kMaxOpenRequests};
    std::mutex mutex;
    std::vector<Steady::time_point> starts;  // by request id
  };

  void RunStream(v1::AlertService::Stub& stub) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", connections_.authorization);
    const auto stream = stub.EnqueueStream(&context);
    Open open;
    std::thread reader([&] { ReadResponses(*stream, open); });
    WriteRequests(*stream, open);
    stream->WritesDone();
    reader.join();
    if (const grpc::Status status = stream->Finish(); !status.ok())
      measure_.Failed(status.error_message());
  }

  void ReadResponses(Stream& stream, Open& open) {
    v1::EnqueueStreamResponse response;
    while (stream.Read(&response)) {
      std::uint64_t accepted = 0;
      for (const v1::EnqueueResult& result : response.results()) {
        if (result.has_accepted())
          ++accepted;
        else
          measure_.Failed(result.error().message());
      }
      {
        const std::lock_guard lock(open.mutex);
        measure_.Done(open.starts[static_cast<size_t>(response.request_id())], accepted);
      }
      open.room.release();
    }
  }

  void WriteRequests(Stream& stream, Open& open) {
    const auto size = static_cast<std::uint64_t>(options_.alerts_per_request);
    for (std::int64_t id = 0;; ++id) {
      const std::uint64_t first = next_.fetch_add(size);
      if (first >= options_.count) return;
      v1::EnqueueStreamRequest request;
      request.set_request_id(id);
      for (std::uint64_t i = first; i < std::min(first + size, options_.count); ++i)
        alerts_.Fill(i, *request.add_alerts());
      if (!open.room.try_acquire_for(kRpcTimeout)) {
        measure_.Failed("no response after the timeout");
        return;
      }
      {
        const std::lock_guard lock(open.mutex);
        open.starts.push_back(Steady::now());
      }
      if (!stream.Write(request)) return;
    }
  }

  const EnqueueOptions options_;
  const Connections connections_;
  const Alerts alerts_;
  Measure measure_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace

Result<int> EnqueueStream(const EnqueueOptions& options) {
  TOCSIN_TRY(Connections connections, Connect(options));
  return StreamRun(options, std::move(connections)).Run();
}

}  // namespace tocsin::load
