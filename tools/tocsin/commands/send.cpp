// tocsin send: sends one alert.
#include <iostream>
#include <optional>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/base/uuid.h"
#include "common/domain/message/utf8.h"
#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/plan_file.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

const Choices<v1::InDoubtPolicy> kInDoubtPolicies{{"fail", v1::IN_DOUBT_POLICY_FAIL},
                                                  {"resend", v1::IN_DOUBT_POLICY_RESEND}};

struct Options {
  ServiceOptions service;
  std::string to;
  std::optional<std::string> plan_file;
  std::string text;
  std::string text_file;
  std::string key;
  v1::Priority priority = v1::PRIORITY_NORMAL;
  v1::Channel channel = v1::CHANNEL_SMS;
  std::string sender_id;
  std::string language_code;
  std::string voice;
  bool machine_detection = false;
  std::string send_time;
  std::string expire_time;
  v1::InDoubtPolicy in_doubt_policy = v1::IN_DOUBT_POLICY_UNSPECIFIED;
  std::vector<std::string> labels;
};

// A generated key makes it safe to repeat the request after a lost response.
std::string NewKey() {
  return MakeUuidV7(std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
                    RandomBytes(10));
}

// gRPC would fail without naming the field.
Status CheckUtf8(const v1::EnqueueRequest& request) {
  const std::pair<const char*, std::string_view> fields[] = {
      {"idempotency_key", request.idempotency_key()},
      {"to", request.to()},
      {"text", request.text()},
      {"sender_id", request.sender_id()},
      {"voice.language_code", request.voice().language_code()},
      {"voice.voice", request.voice().voice()}};
  for (const auto& [name, value] : fields)
    if (!IsValidUtf8(value)) return Fail(ErrorCode::kInvalidArgument, "is not UTF-8", name);
  for (const auto& [name, value] : request.labels())
    if (!IsValidUtf8(name) || !IsValidUtf8(value))
      return Fail(ErrorCode::kInvalidArgument, "are not UTF-8", "labels");
  return {};
}

void SetRecipient(const Options& options, v1::EnqueueRequest& request) {
  request.set_channel(options.channel);
  request.set_to(options.to);
  request.set_sender_id(options.sender_id);
  if (options.language_code.empty() && options.voice.empty() && !options.machine_detection) return;
  request.mutable_voice()->set_language_code(options.language_code);
  request.mutable_voice()->set_voice(options.voice);
  request.mutable_voice()->set_machine_detection(options.machine_detection);
}

Result<v1::Plan> ReadPlan(const std::string& path, bool has_text) {
  if (path == "-")
    return Fail(ErrorCode::kInvalidArgument, "cannot be stdin; write the plan to a file", "--plan");
  TOCSIN_TRY(const std::string content, ReadFile(path, kMaxPlanBytes));
  return ParsePlan(content, path, has_text);
}

Result<v1::EnqueueRequest> BuildRequest(const Options& options) {
  v1::EnqueueRequest request;
  request.set_idempotency_key(options.key.empty() ? NewKey() : options.key);
  request.set_priority(options.priority);
  request.set_text(options.text);
  request.set_in_doubt_policy(options.in_doubt_policy);
  if (!options.text_file.empty()) {
    TOCSIN_TRY(*request.mutable_text(), ReadTextFile(options.text_file));
  }
  if (options.plan_file) {
    TOCSIN_TRY(*request.mutable_plan(), ReadPlan(*options.plan_file, !request.text().empty()));
  } else {
    SetRecipient(options, request);
  }
  if (!options.send_time.empty())
    TOCSIN_CHECK_OK(ReadTime(options.send_time, "--send-time", *request.mutable_send_time()));
  if (!options.expire_time.empty())
    TOCSIN_CHECK_OK(ReadTime(options.expire_time, "--expire-time", *request.mutable_expire_time()));
  TOCSIN_CHECK_OK(ReadLabels(options.labels, *request.mutable_labels()));
  TOCSIN_CHECK_OK(CheckUtf8(request));
  return request;
}

// Whether the alert may have been accepted, or may be accepted if the request is repeated.
bool IsWorthRepeating(const Error& error) {
  return TraitsOf(error.code).retryable || error.code == ErrorCode::kInternal;
}

// Prints the key: only with it is a repetition safe, and a new command would generate another one.
int ReportFailure(const Error& error, const std::string& key, const Common& common) {
  const int code = Report(error);
  if (!error.subject.empty()) std::cerr << "tocsin: alert id: " << error.subject << '\n';
  if (IsWorthRepeating(error))
    std::cerr << "tocsin: to retry safely add --idempotency-key " << key << '\n';
  if (!common.json) return code;
  nlohmann::json json{
      {"reason", TraitsOf(error.code).name}, {"message", error.message}, {"idempotency_key", key}};
  if (!error.subject.empty()) json["alert_id"] = error.subject;
  PrintJson(json);
  return code;
}

void PrintAccepted(const v1::EnqueueResponse& response, const std::string& key,
                   const Common& common) {
  if (common.json)
    return PrintJson({{"alert_id", response.alert_id()},
                      {"create_time", TimeText(response.create_time())},
                      {"replayed", response.replayed()},
                      {"segment_count", response.segment_count()},
                      {"idempotency_key", key},
                      {"consistency_token", Base64Encode(response.consistency_token())}});
  std::cout << response.alert_id() << "  accepted" << (response.replayed() ? " (replayed)" : "");
  if (const int count = response.segment_count(); count > 0)
    std::cout << ", " << count << (count == 1 ? " segment" : " segments");
  std::cout << '\n';
}

int Send(const Options& options, const Common& common) {
  const auto request = BuildRequest(options);
  if (!request) return ReportMisuse(request.error());
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const auto stub = v1::AlertService::NewStub(client->channel());
  v1::EnqueueResponse response;
  const Status sent = client->Call(
      [&](grpc::ClientContext& context) { return stub->Enqueue(&context, *request, &response); });
  if (!sent) return ReportFailure(sent.error(), request->idempotency_key(), common);
  PrintAccepted(response, request->idempotency_key(), common);
  return kDone;
}

CLI::Option* AddText(CLI::App& command, const char* name, std::string& value, const char* help) {
  return command.add_option(name, value, help)->type_name(kText);
}

// The options of one recipient, also by their old names. The first is --to.
std::vector<CLI::Option*> AddRecipientOptions(CLI::App& command, Options& options) {
  return {
      AddText(command, "--to", options.to,
              "phone number of the recipient in E.164 form, such as +15145550123"),
      AddChoice(command, "--channel", options.channel, kChannels, "channel; default sms"),
      AddText(command, "--sender-id", options.sender_id, "sender of the registry"),
      Hide(AddText(command, "--sender", options.sender_id, "")),
      AddText(command, "--language-code", options.language_code,
              "language of a call, such as en-CA"),
      Hide(AddText(command, "--language", options.language_code, "")),
      AddText(command, "--voice", options.voice, "voice of a call, such as Polly.Joanna"),
      command.add_flag("--machine-detection", options.machine_detection,
                       "detect whether a person or a machine answers the call"),
      Hide(command.add_flag("--detect-machine", options.machine_detection, "")),
  };
}

void AddAlertOptions(CLI::App& command, Options& options) {
  auto* text = AddText(command, "--text", options.text, "message");
  auto* file =
      command.add_option("--text-file", options.text_file, "file with the message; - is stdin")
          ->type_name(kFile);
  text->excludes(file);
  AddText(command, "--idempotency-key", options.key,
          "identifies the alert: a repeated key sends nothing; default: a new key");
  AddChoice(command, "--priority", options.priority, kPriorities, "priority; default normal");
  Hide(AddChoice(command, "--class", options.priority, kPriorities, ""));
  AddText(command, "--send-time", options.send_time, "do not send before this time (RFC 3339)")
      ->type_name(kTime);
  Hide(AddText(command, "--send-at", options.send_time, ""));
  AddText(command, "--expire-time", options.expire_time, "do not send after this time (RFC 3339)")
      ->type_name(kTime);
  Hide(AddText(command, "--expires-at", options.expire_time, ""));
  AddChoice(command, "--in-doubt", options.in_doubt_policy, kInDoubtPolicies,
            "if it cannot be determined whether Twilio accepted the alert; default by priority");
  command.add_option("--label", options.labels, "label, free of personal data; repeatable")
      ->type_name("NAME=VALUE");
}

// A plan excludes all options of one recipient. CLI11's own excludes() would show the old names in
// --help.
void CheckRecipient(const CLI::Option& plan, const std::vector<CLI::Option*>& recipient) {
  if (plan.count() == 0 && recipient.front()->count() == 0)
    throw CLI::RequiredError("--to or --plan");
  if (plan.count() == 0) return;
  for (const CLI::Option* option : recipient)
    if (option->count() > 0)
      throw CLI::ExcludesError("--plan", "--" + option->get_lnames().front());
}

}  // namespace

void AddSend(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("send", "send one alert");
  const auto recipient = AddRecipientOptions(command, *options);
  const CLI::Option& plan =
      *command
           .add_option("--plan", options->plan_file,
                       "YAML file: whom the alert reaches in which order, instead of one recipient")
           ->type_name(kFile);
  AddAlertOptions(command, *options);
  options->service.AddTo(command, "TOCSIN_INGRESS_GRPC");
  command.callback([options, &action, &plan, recipient] {
    CheckRecipient(plan, recipient);
    action = [options](const Common& common) { return Send(*options, common); };
  });
}

}  // namespace tocsin::cli
