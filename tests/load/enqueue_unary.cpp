#include <algorithm>
#include <fstream>

#include "tests/load/enqueue.h"

namespace tocsin::load {
namespace {

// Requests on one completion queue and one thread, because the client shares the cores with what it
// measures: this costs 15 to 20 us per request, gRPC's callback API 70 to 115.
class UnaryRun {
 public:
  UnaryRun(const EnqueueOptions& options, Connections connections)
      : options_(options),
        connections_(std::move(connections)),
        alerts_(options),
        measure_(options.count),
        schedule_(options.rate) {
    if (!options.log.empty()) log_.open(options.log);
  }

  Result<int> Run() {
    while (ended_ < options_.count) {
      while (MayStart() && schedule_.StartOf(started_) <= Steady::now()) Start();
      AwaitResponse(MayStart() ? schedule_.StartOf(started_) : Steady::now() + kRpcTimeout);
    }
    queue_.Shutdown();
    return measure_.Report();
  }

 private:
  struct Request {
    std::uint64_t number;
    Steady::time_point start;
    grpc::ClientContext context;
    v1::EnqueueResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::EnqueueResponse>> reader;
  };

  bool MayStart() const {
    return started_ < options_.count &&
           started_ - ended_ < static_cast<std::uint64_t>(options_.in_flight);
  }

  void Start() {
    auto request = std::make_unique<Request>();
    request->number = started_++;
    // Of an open loop the time at which the request was due.
    request->start = options_.rate > 0 ? schedule_.StartOf(request->number) : Steady::now();
    request->context.AddMetadata("authorization", connections_.authorization);
    request->context.set_deadline(std::chrono::system_clock::now() + kRpcTimeout);
    alerts_.Fill(request->number, alert_);
    auto& stub = *connections_.stubs[request->number % connections_.stubs.size()];
    request->reader = stub.AsyncEnqueue(&request->context, alert_, &queue_);
    Request* const tag = request.release();  // the queue returns it
    tag->reader->Finish(&tag->response, &tag->status, tag);
  }

  // Until the deadline at most. Each request ends, because it has a timeout.
  void AwaitResponse(Steady::time_point deadline) {
    void* tag = nullptr;
    bool ok = false;
    const auto until =
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - Steady::now());
    if (queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT)
      End(std::unique_ptr<Request>(static_cast<Request*>(tag)));
  }

  void End(std::unique_ptr<Request> request) {
    ++ended_;
    if (!request->status.ok()) {
      measure_.Failed(request->status.error_message());
      return;
    }
    measure_.Done(request->start);
    if (log_.is_open()) Log(*request);
  }

  // "number request response", the two as microseconds of UTC.
  void Log(const Request& request) {
    const auto micros = [](auto duration) {
      return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    };
    const auto response = micros(std::chrono::system_clock::now().time_since_epoch());
    log_ << request.number << ' ' << response - micros(Steady::now() - request.start) << ' '
         << response << '\n';
  }

  const EnqueueOptions options_;
  const Connections connections_;
  const Alerts alerts_;
  Measure measure_;
  const Schedule schedule_;
  std::ofstream log_;
  grpc::CompletionQueue queue_;
  v1::EnqueueRequest alert_;  // is serialized when a request starts
  std::uint64_t started_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace

Result<int> EnqueueUnary(const EnqueueOptions& options) {
  TOCSIN_TRY(Connections connections, Connect(options));
  return UnaryRun(options, std::move(connections)).Run();
}

}  // namespace tocsin::load
