#include <iostream>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "common/domain/segments.h"
#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

struct Options {
  ServiceOptions service;
  std::string to;
  std::string text;
  std::string text_file;
  std::string key;
  v1::AlertClass alert_class = v1::ALERT_CLASS_NORMAL;
  v1::Channel channel = v1::CHANNEL_SMS;
  std::string sender;
  std::string language;
  std::string voice;
  bool detect_machine = false;
  std::string send_at;
  std::string expires_at;
  std::vector<std::string> labels;
};

// A key of our own makes a repetition after a lost answer safe.
std::string NewKey() {
  return MakeUuidV7(std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
                    RandomBytes(10));
}

// gRPC cannot say which field it was that it could not write.
Status CheckUtf8(const v1::EnqueueRequest& request) {
  const std::pair<const char*, std::string_view> fields[] = {
      {"idempotency_key", request.idempotency_key()},
      {"to", request.to()},
      {"text", request.text()},
      {"sender", request.sender()},
      {"voice.language", request.voice().language()},
      {"voice.voice", request.voice().voice()}};
  for (const auto& [name, value] : fields)
    if (!IsValidUtf8(value)) return Fail(ErrorCode::kInvalidArgument, "is not UTF-8 text", name);
  for (const auto& [name, value] : request.labels())
    if (!IsValidUtf8(name) || !IsValidUtf8(value))
      return Fail(ErrorCode::kInvalidArgument, "are not UTF-8 text", "labels");
  return {};
}

Result<v1::EnqueueRequest> Build(const Options& options) {
  v1::EnqueueRequest request;
  request.set_idempotency_key(options.key.empty() ? NewKey() : options.key);
  request.set_class_(options.alert_class);
  request.set_channel(options.channel);
  request.set_to(options.to);
  request.set_text(options.text);
  request.set_sender(options.sender);
  if (!options.language.empty() || !options.voice.empty() || options.detect_machine) {
    request.mutable_voice()->set_language(options.language);
    request.mutable_voice()->set_voice(options.voice);
    request.mutable_voice()->set_detect_machine(options.detect_machine);
  }
  if (!options.text_file.empty()) {
    TOCSIN_TRY(*request.mutable_text(), ReadTextFile(options.text_file));
  }
  if (!options.send_at.empty())
    TOCSIN_CHECK_OK(ReadTime(options.send_at, "--send-at", *request.mutable_send_at()));
  if (!options.expires_at.empty())
    TOCSIN_CHECK_OK(ReadTime(options.expires_at, "--expires-at", *request.mutable_expires_at()));
  TOCSIN_CHECK_OK(ReadLabels(options.labels, *request.mutable_labels()));
  TOCSIN_CHECK_OK(CheckUtf8(request));
  return request;
}

// Whether the request may have been taken, or may be taken when it is repeated as it stands.
bool IsWorthRepeating(const Error& error) {
  return TraitsOf(error.code).retryable || error.code == ErrorCode::kInternal;
}

// Only the key makes a repetition safe, and running the command again would make another one.
int ReportFailure(const Error& error, const std::string& key, const Common& common) {
  const int code = Report(error);
  if (!error.subject.empty()) std::cerr << "tocsin: the alert is " << error.subject << '\n';
  if (IsWorthRepeating(error))
    std::cerr << "tocsin: to repeat it safely add --idempotency-key " << key << '\n';
  if (!common.json) return code;
  nlohmann::json told{
      {"reason", TraitsOf(error.code).name}, {"message", error.message}, {"idempotency_key", key}};
  if (!error.subject.empty()) told["alert_id"] = error.subject;
  PrintJson(told);
  return code;
}

void PrintAccepted(const v1::EnqueueResponse& response, const std::string& key,
                   const Common& common) {
  if (common.json) {
    PrintJson({{"alert_id", response.alert_id()},
               {"accept_time", TimeText(response.accept_time())},
               {"replayed", response.replayed()},
               {"segments", response.segments()},
               {"idempotency_key", key},
               {"position",
                {{"topic", response.position().topic()},
                 {"partition", response.position().partition()},
                 {"offset", response.position().offset()}}}});
  } else {
    std::cout << response.alert_id() << (response.replayed() ? "  (accepted before)" : "  accepted")
              << ", " << response.segments() << " segment(s)\n";
  }
}

int Send(const Options& options, const Common& common) {
  const auto request = Build(options);
  if (!request) return Report(request.error());
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto stub = v1::AlertService::NewStub(client->channel());
  v1::EnqueueResponse response;
  const auto called = client->Call(
      [&](grpc::ClientContext& context) { return stub->Enqueue(&context, *request, &response); });
  if (!called) return ReportFailure(called.error(), request->idempotency_key(), common);
  PrintAccepted(response, request->idempotency_key(), common);
  return kDone;
}

}  // namespace

void AddSend(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("send", "send one alert");
  command.add_option("--to", options->to, "recipient, + and digits")->required();
  auto* text = command.add_option("--text", options->text, "what to say");
  auto* file =
      command.add_option("--text-file", options->text_file, "file with what to say; - is stdin");
  text->excludes(file);
  command.add_option("--idempotency-key", options->key, "names this alert; default: a new one");
  command.add_option("--class", options->alert_class, "emergency, high, normal or bulk")
      ->transform(CLI::CheckedTransformer(kClasses, CLI::ignore_case));
  command.add_option("--channel", options->channel, "sms or voice")
      ->transform(CLI::CheckedTransformer(kChannels, CLI::ignore_case));
  command.add_option("--sender", options->sender, "sender by its id");
  command.add_option("--language", options->language, "of a call, such as en-CA");
  command.add_option("--voice", options->voice, "of a call, one of Twilio's");
  command.add_flag("--detect-machine", options->detect_machine,
                   "ask whether a person or a machine took the call");
  command.add_option("--send-at", options->send_at, "not before this time (RFC 3339)");
  command.add_option("--expires-at", options->expires_at, "never after this time (RFC 3339)");
  command.add_option("--label", options->labels, "NAME=VALUE, free of personal data; repeatable");
  options->service.AddTo(command, "TOCSIN_INGRESS_GRPC");
  command.callback([options, &action] {
    action = [options](const Common& common) { return Send(*options, common); };
  });
}

}  // namespace tocsin::cli
