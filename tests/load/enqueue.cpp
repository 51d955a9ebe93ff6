#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <semaphore>
#include <thread>

#include "common/config/secret_file.h"
#include "tests/load/load.h"
#include "tocsin/v1/alert_service.grpc.pb.h"

namespace tocsin::load {
namespace {

constexpr int kMaxOpenRequests = 10;  // the limit of the ingress
constexpr std::chrono::seconds kTimeout{30};

struct Options {
  std::string address;
  std::string api_key_file;
  std::uint64_t count = 20'000;
  int in_flight = 64;
  int alerts_per_request = 64;
  int connections = 2;
  double rate = 0;
  bool keyed = false;
  std::string priority = "normal";
  std::string log;
};

v1::Priority PriorityOf(const std::string& name) {
  if (name == "emergency") return v1::PRIORITY_EMERGENCY;
  if (name == "high") return v1::PRIORITY_HIGH;
  return name == "bulk" ? v1::PRIORITY_BULK : v1::PRIORITY_NORMAL;
}

// Alert number `number`: one of 10 000 recipients, and a text with the number.
void Fill(const Options& options, const std::string& run, std::uint64_t number,
          v1::EnqueueRequest& request) {
  const std::string four = std::to_string(number % 10'000 + 10'000).substr(1);
  request.set_to("+1514555" + four);
  request.set_text("load " + std::to_string(number));
  request.set_priority(PriorityOf(options.priority));
  if (options.keyed) request.set_idempotency_key(run + '-' + std::to_string(number));
}

// One run.
class Client : public std::enable_shared_from_this<Client> {
 public:
  static Result<std::shared_ptr<Client>> Make(const Options& options) {
    const auto key = config::ReadSecretFile(options.api_key_file);
    if (!key) return Fail(ErrorCode::kInvalidConfig, key.error().reason, "--api-key-file");
    auto client = std::shared_ptr<Client>(new Client(options, "Bearer " + key->value.Reveal()));
    for (int i = 0; i < options.connections; ++i) {
      grpc::ChannelArguments arguments;  // a TCP connection per channel
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      auto channel =
          grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + kTimeout))
        return Fail(ErrorCode::kUnreachable, "unreachable", options.address);
      client->stubs_.push_back(v1::AlertService::NewStub(channel));
    }
    return client;
  }

  // At most `in_flight` requests at a time. This thread starts them all: a thread that gets
  // responses must not wait for the next start time of an open loop.
  Result<int> Unary() {
    Measure measure(options_.count);
    measure_ = &measure;
    const Schedule schedule(options_.rate);
    const std::uint64_t count = options_.count;
    for (std::uint64_t number = 0; number < count; ++number) {
      room_.acquire();
      Start(number, schedule.Await(number));
    }
    for (std::uint64_t ended = ended_.load(); ended < count; ended = ended_.load())
      ended_.wait(ended);
    return measure.Report();
  }

  // One stream per connection, with at most kMaxOpenRequests requests without a response.
  Result<int> Stream() {
    Measure measure(options_.count);
    measure_ = &measure;
    std::vector<std::thread> streams;
    for (size_t i = 0; i < stubs_.size(); ++i) streams.emplace_back([this, i] { Stream(i); });
    for (std::thread& stream : streams) stream.join();
    return measure.Report();
  }

 private:
  struct Request {
    grpc::ClientContext context;
    v1::EnqueueRequest request;
    v1::EnqueueResponse response;
    Steady::time_point start;
  };

  Client(Options options, std::string authorization)
      : options_(std::move(options)), authorization_(std::move(authorization)) {
    if (!options_.log.empty()) log_.open(options_.log);
  }

  void Prepare(grpc::ClientContext& context) const {
    context.AddMetadata("authorization", authorization_);
  }

  void Start(std::uint64_t number, Steady::time_point start) {
    auto sent = std::make_shared<Request>();
    Prepare(sent->context);
    sent->context.set_deadline(std::chrono::system_clock::now() + kTimeout);
    Fill(options_, run_, number, sent->request);
    sent->start = start;
    stubs_[number % stubs_.size()]->async()->Enqueue(
        &sent->context, &sent->request, &sent->response,
        [self = shared_from_this(), sent, number](const grpc::Status& status) {
          self->Ended(*sent, number, status);
        });
  }

  void Ended(const Request& request, std::uint64_t number, const grpc::Status& status) {
    if (status.ok()) {
      measure_->Done(request.start);
      Log(number);
    } else {
      measure_->Failed(status.error_message());
    }
    room_.release();
    ended_.fetch_add(1);
    ended_.notify_one();
  }

  // "number microseconds-of-UTC" of each response, for submit_latency.py.
  void Log(std::uint64_t number) {
    if (!log_.is_open()) return;
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    const std::lock_guard lock(log_mutex_);
    log_ << number << ' ' << now.count() << '\n';
  }

  void Stream(size_t which) {
    grpc::ClientContext context;
    Prepare(context);
    const auto stream = stubs_[which]->EnqueueStream(&context);
    std::counting_semaphore<kMaxOpenRequests> open(kMaxOpenRequests);
    std::mutex mutex;
    std::vector<Steady::time_point> starts;  // by request id
    std::thread reader([&] {
      v1::EnqueueStreamResponse response;
      while (stream->Read(&response)) {
        std::uint64_t accepted = 0;
        for (const v1::EnqueueResult& result : response.results()) {
          if (result.has_accepted())
            ++accepted;
          else
            measure_->Failed(result.error().message());
        }
        {
          const std::lock_guard lock(mutex);
          measure_->Done(starts[static_cast<size_t>(response.request_id())], accepted);
        }
        open.release();
      }
    });
    const auto size = static_cast<std::uint64_t>(options_.alerts_per_request);
    for (std::int64_t id = 0;; ++id) {
      const std::uint64_t first = next_.fetch_add(size);
      if (first >= options_.count) break;
      v1::EnqueueStreamRequest request;
      request.set_request_id(id);
      for (std::uint64_t i = first; i < std::min(first + size, options_.count); ++i)
        Fill(options_, run_, i, *request.add_alerts());
      if (!open.try_acquire_for(kTimeout)) break;
      {
        const std::lock_guard lock(mutex);
        starts.push_back(Steady::now());
      }
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    reader.join();
    if (const grpc::Status status = stream->Finish(); !status.ok())
      measure_->Failed(status.error_message());
  }

  const Options options_;
  const std::string authorization_;
  const std::string run_ = std::to_string(Steady::now().time_since_epoch().count());
  std::vector<std::unique_ptr<v1::AlertService::Stub>> stubs_;
  std::counting_semaphore<> room_{options_.in_flight};
  Measure* measure_ = nullptr;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::mutex log_mutex_;
  std::ofstream log_;
};

void AddCommon(CLI::App& command, Options& options) {
  command.add_option("--address", options.address, "host:port of the ingress")
      ->envname("TOCSIN_INGRESS_GRPC")
      ->required();
  command.add_option("--api-key-file", options.api_key_file, "file that holds the API key")
      ->envname("TOCSIN_API_KEY_FILE")
      ->required();
  command.add_option("--count", options.count, "alerts")->capture_default_str();
  command.add_option("--connections", options.connections)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command.add_flag("--keyed", options.keyed, "each with an idempotency key");
  command.add_option("--priority", options.priority)
      ->check(CLI::IsMember({"emergency", "high", "normal", "bulk"}))
      ->capture_default_str();
}

}  // namespace

void AddEnqueue(CLI::App& app, Run& run) {
  const auto unary = std::make_shared<Options>();
  CLI::App& one = *app.add_subcommand("enqueue-unary", "one alert per request");
  AddCommon(one, *unary);
  one.add_option("--in-flight", unary->in_flight)
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  one.add_option("--rate", unary->rate, "alerts per second, open loop; 0: as fast as possible");
  one.add_option("--log", unary->log, "file for number and time of each response");
  one.callback([unary, &run] {
    run = [unary]() -> Result<int> {
      TOCSIN_TRY(const auto client, Client::Make(*unary));
      return client->Unary();
    };
  });
  const auto stream = std::make_shared<Options>();
  CLI::App& many = *app.add_subcommand("enqueue-stream", "several alerts per request of a stream");
  AddCommon(many, *stream);
  many.add_option("--alerts-per-request", stream->alerts_per_request)
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  many.callback([stream, &run] {
    run = [stream]() -> Result<int> {
      TOCSIN_TRY(const auto client, Client::Make(*stream));
      return client->Stream();
    };
  });
}

}  // namespace tocsin::load
