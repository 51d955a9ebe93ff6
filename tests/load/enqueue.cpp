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

constexpr int kMaxOpenFrames = 10;  // what the ingress allows
constexpr std::chrono::seconds kCallLimit{30};

struct Options {
  std::string address;
  std::string api_key_file;
  std::uint64_t count = 20'000;
  int in_flight = 64;
  int frame = 64;
  int connections = 2;
  double rate = 0;
  bool keyed = false;
  std::string alert_class = "normal";
  std::string log;
};

v1::AlertClass ClassOf(const std::string& name) {
  if (name == "emergency") return v1::ALERT_CLASS_EMERGENCY;
  if (name == "high") return v1::ALERT_CLASS_HIGH;
  return name == "bulk" ? v1::ALERT_CLASS_BULK : v1::ALERT_CLASS_NORMAL;
}

// The alert of that number: a recipient of its own among 10 000, a text that names it.
void Fill(const Options& options, const std::string& run, std::uint64_t number,
          v1::EnqueueRequest& request) {
  const std::string four = std::to_string(number % 10'000 + 10'000).substr(1);
  request.set_to("+1514555" + four);
  request.set_text("load " + std::to_string(number));
  request.set_class_(ClassOf(options.alert_class));
  if (options.keyed) request.set_idempotency_key(run + '-' + std::to_string(number));
}

// One run: its connections, its key, its numbers.
class Caller : public std::enable_shared_from_this<Caller> {
 public:
  static Result<std::shared_ptr<Caller>> Make(const Options& options) {
    const auto key = config::ReadSecretFile(options.api_key_file);
    if (!key) return Fail(ErrorCode::kInvalidConfig, key.error().reason, "--api-key-file");
    auto caller = std::shared_ptr<Caller>(new Caller(options, "Bearer " + key->value.Reveal()));
    for (int i = 0; i < options.connections; ++i) {
      grpc::ChannelArguments own;  // each a TCP connection of its own
      own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      auto channel =
          grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), own);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + kCallLimit))
        return Fail(ErrorCode::kOverloaded, "cannot be reached", options.address);
      caller->stubs_.push_back(v1::AlertService::NewStub(channel));
    }
    return caller;
  }

  // `in_flight` calls at most at any time. This thread starts them all: one that answers come back
  // on must not wait for the next moment of an open loop.
  Result<int> Unary() {
    Measure measure(options_.count);
    measure_ = &measure;
    const Schedule schedule(options_.rate);
    const std::uint64_t calls = options_.count;
    for (std::uint64_t number = 0; number < calls; ++number) {
      room_.acquire();
      Start(number, schedule.Await(number));
    }
    for (std::uint64_t ended = ended_.load(); ended < calls; ended = ended_.load())
      ended_.wait(ended);
    return measure.Tell();
  }

  // Frames over one stream for each connection, at most kMaxOpenFrames unanswered on each.
  Result<int> Stream() {
    Measure measure(options_.count);
    measure_ = &measure;
    std::vector<std::thread> streams;
    for (size_t i = 0; i < stubs_.size(); ++i) streams.emplace_back([this, i] { Stream(i); });
    for (std::thread& stream : streams) stream.join();
    return measure.Tell();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::EnqueueRequest request;
    v1::EnqueueResponse response;
    Steady::time_point begin;
  };

  Caller(Options options, std::string authorization)
      : options_(std::move(options)), authorization_(std::move(authorization)) {
    if (!options_.log.empty()) log_.open(options_.log);
  }

  void Prepare(grpc::ClientContext& context) const {
    context.AddMetadata("authorization", authorization_);
  }

  void Start(std::uint64_t number, Steady::time_point begin) {
    auto call = std::make_shared<Call>();
    Prepare(call->context);
    call->context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    Fill(options_, run_, number, call->request);
    call->begin = begin;
    stubs_[number % stubs_.size()]->async()->Enqueue(
        &call->context, &call->request, &call->response,
        [self = shared_from_this(), call, number](const grpc::Status& status) {
          self->Ended(*call, number, status);
        });
  }

  void Ended(const Call& call, std::uint64_t number, const grpc::Status& status) {
    if (status.ok()) {
      measure_->Done(call.begin);
      Log(number);
    } else {
      measure_->Failed(status.error_message());
    }
    room_.release();
    ended_.fetch_add(1);
    ended_.notify_one();
  }

  // For whoever joins alerts with what Twilio saw: "number microseconds-of-UTC" of each answer.
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
    std::counting_semaphore<kMaxOpenFrames> open(kMaxOpenFrames);
    std::mutex mutex;
    std::vector<Steady::time_point> begins;  // by frame number
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
          measure_->Done(begins[response.frame()], accepted);
        }
        open.release();
      }
    });
    const auto frame_size = static_cast<std::uint64_t>(options_.frame);
    for (std::uint64_t frame = 0;; ++frame) {
      const std::uint64_t first = next_.fetch_add(frame_size);
      if (first >= options_.count) break;
      v1::EnqueueStreamRequest request;
      request.set_frame(frame);
      for (std::uint64_t i = first; i < std::min(first + frame_size, options_.count); ++i)
        Fill(options_, run_, i, *request.add_alerts());
      if (!open.try_acquire_for(kCallLimit)) break;
      {
        const std::lock_guard lock(mutex);
        begins.push_back(Steady::now());
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
  command.add_flag("--keyed", options.keyed, "with an idempotency key each");
  command.add_option("--class", options.alert_class)
      ->check(CLI::IsMember({"emergency", "high", "normal", "bulk"}))
      ->capture_default_str();
}

}  // namespace

void AddEnqueue(CLI::App& app, Run& run) {
  const auto unary = std::make_shared<Options>();
  CLI::App& one = *app.add_subcommand("enqueue-unary", "one alert a call");
  AddCommon(one, *unary);
  one.add_option("--in-flight", unary->in_flight)
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  one.add_option("--rate", unary->rate, "alerts a second, open loop; 0: as fast as answered");
  one.add_option("--log", unary->log, "file for `number time` of each answer");
  one.callback([unary, &run] {
    run = [unary]() -> Result<int> {
      TOCSIN_TRY(const auto caller, Caller::Make(*unary));
      return caller->Unary();
    };
  });
  const auto stream = std::make_shared<Options>();
  CLI::App& many = *app.add_subcommand("enqueue-stream", "frames of alerts");
  AddCommon(many, *stream);
  many.add_option("--frame", stream->frame, "alerts in a frame")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  many.callback([stream, &run] {
    run = [stream]() -> Result<int> {
      TOCSIN_TRY(const auto caller, Caller::Make(*stream));
      return caller->Stream();
    };
  });
}

}  // namespace tocsin::load
