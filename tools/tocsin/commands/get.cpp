// tocsin get: prints the status of one alert.
#include <google/protobuf/util/time_util.h>

#include <iostream>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

struct Options {
  ServiceOptions service;
  std::string alert_id;
  std::string consistency_token;  // base64
  double wait_seconds = 5;
};

Result<v1::GetAlertRequest> BuildRequest(const Options& options) {
  v1::GetAlertRequest request;
  request.set_alert_id(options.alert_id);
  if (options.consistency_token.empty()) return request;
  TOCSIN_TRY(*request.mutable_consistency_token(), ReadConsistencyToken(options.consistency_token));
  *request.mutable_wait_duration() = google::protobuf::util::TimeUtil::MillisecondsToDuration(
      static_cast<std::int64_t>(options.wait_seconds * 1000));
  return request;
}

int Get(const Options& options, const Common& common) {
  const auto request = BuildRequest(options);
  if (!request) return ReportMisuse(request.error());
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const auto stub = v1::StatusService::NewStub(client->channel());
  v1::Alert alert;
  const Status read = client->Call(
      [&](grpc::ClientContext& context) { return stub->GetAlert(&context, *request, &alert); });
  if (!read) return Report(read.error());
  if (common.json) {
    PrintJson(ToJson(alert, true));
  } else {
    std::cout << SummaryOf(alert) << '\n';
    for (const std::string& line : PlanLinesOf(alert)) std::cout << line << '\n';
    for (const v1::TimelineEntry& entry : alert.timeline())
      std::cout << "  " << LineOf(entry) << '\n';
  }
  return kDone;
}

CLI::App* AddVerb(CLI::App& app, const char* name, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(name, "print the status and timeline of an alert");
  command.add_option("alert_id", options->alert_id, "id of the alert")
      ->required()
      ->type_name(kText);
  command
      .add_option("--consistency-token", options->consistency_token,
                  "token that `send` printed: the status includes that alert's acceptance")
      ->type_name("BASE64");
  AddSeconds(command, "--wait-duration", options->wait_seconds, 0, 30,
             "how long to wait for the consistency token");
  Hide(command.add_option("--wait", options->wait_seconds)
           ->check(CLI::Range(0.0, 30.0).description("")));
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC");
  command.callback([options, &action] {
    action = [options](const Common& common) { return Get(*options, common); };
  });
  return &command;
}

}  // namespace

void AddGet(CLI::App& app, Action& action) {
  AddVerb(app, "get", action);
  Hide(AddVerb(app, "status", action));
}

}  // namespace tocsin::cli
