// tocsin list: lists alerts by filter.
#include <google/protobuf/util/time_util.h>

#include <iostream>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kPage = 1'000;  // the service's maximum
constexpr int kMaxLimit = 100'000;
constexpr double kMaxGraceSeconds = 604'800;

struct Options {
  ServiceOptions service;
  std::vector<v1::AlertState> states;
  std::vector<v1::Priority> priorities;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  std::vector<std::string> labels;
  std::string min_create_time;
  std::string max_create_time;
  std::string recipient;
  std::string page_token;
  int limit = 50;
  bool overdue = false;
  double grace_seconds = 0;
};

Result<v1::ListAlertsRequest> BuildRequest(const Options& options) {
  v1::ListAlertsRequest request;
  for (const v1::AlertState state : options.states) request.add_states(state);
  for (const v1::Priority priority : options.priorities) request.add_priorities(priority);
  request.set_channel(options.channel);
  request.set_recipient_phone_number(options.recipient);
  request.set_page_token(options.page_token);
  TOCSIN_CHECK_OK(ReadLabels(options.labels, *request.mutable_labels()));
  if (!options.min_create_time.empty())
    TOCSIN_CHECK_OK(
        ReadTime(options.min_create_time, "--min-create-time", *request.mutable_min_create_time()));
  if (!options.max_create_time.empty())
    TOCSIN_CHECK_OK(
        ReadTime(options.max_create_time, "--max-create-time", *request.mutable_max_create_time()));
  if (!options.overdue) return request;
  for (const auto& [name, state] : kStates)
    if (!IsFinal(state)) request.add_states(state);
  *request.mutable_max_expire_time() =
      TimeUtil::GetCurrentTime() -
      TimeUtil::MillisecondsToDuration(static_cast<std::int64_t>(options.grace_seconds * 1000));
  return request;
}

// Reads pages until there are `limit` alerts or no more.
Result<v1::ListAlertsResponse> Fetch(const ServiceClient& client, v1::ListAlertsRequest request,
                                     int limit) {
  const auto stub = v1::StatusService::NewStub(client.channel());
  v1::ListAlertsResponse all;
  while (true) {
    v1::ListAlertsResponse page;
    request.set_page_size(std::min(limit - all.alerts_size(), kPage));
    TOCSIN_CHECK_OK(client.Call(
        [&](grpc::ClientContext& context) { return stub->ListAlerts(&context, request, &page); }));
    all.mutable_alerts()->MergeFrom(page.alerts());
    all.set_next_page_token(page.next_page_token());
    if (page.next_page_token().empty() || all.alerts_size() >= limit) return all;
    request.set_page_token(page.next_page_token());
  }
}

void Print(const v1::ListAlertsResponse& response, bool overdue) {
  for (const v1::Alert& alert : response.alerts())
    std::cout << (overdue ? "expired " + TimeText(alert.expire_time())
                          : TimeText(alert.create_time()))
              << "  " << NameOf(alert.priority()) << ' ' << NameOf(alert.channel()) << "  "
              << SummaryOf(alert) << '\n';
  if (response.next_page_token().empty()) return;
  std::cerr << "more alerts: raise --limit";
  if (!overdue) std::cerr << ", or continue with --page-token " << response.next_page_token();
  std::cerr << '\n';
}

int List(const Options& options, const Common& common) {
  const auto request = BuildRequest(options);
  if (!request) return ReportMisuse(request.error());
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const auto response = Fetch(*client, *request, options.limit);
  if (!response) return Report(response.error());
  if (common.json) {
    nlohmann::json alerts = nlohmann::json::array();
    for (const v1::Alert& alert : response->alerts()) alerts.push_back(ToJson(alert, false));
    PrintJson({{"alerts", alerts}, {"next_page_token", response->next_page_token()}});
  } else {
    Print(*response, options.overdue);
  }
  return options.overdue && response->alerts_size() > 0 ? kRefused : kDone;
}

void AddFilters(CLI::App& command, Options& options) {
  const auto time_option = [&](const char* name, std::string& value, const char* help) {
    return command.add_option(name, value, help)->type_name(kTime);
  };
  auto* state = AddChoices(command, "--state", options.states, kStates, "state; repeatable");
  AddChoices(command, "--priority", options.priorities, kPriorities, "priority; repeatable");
  Hide(AddChoices(command, "--class", options.priorities, kPriorities, ""));
  AddChoice(command, "--channel", options.channel, kChannels, "channel of the first step");
  command.add_option("--label", options.labels, "label; repeatable: all must match")
      ->type_name("NAME=VALUE");
  time_option("--min-create-time", options.min_create_time,
              "accepted at or after this time (RFC 3339)");
  Hide(time_option("--after", options.min_create_time, ""));
  time_option("--max-create-time", options.max_create_time, "accepted before this time (RFC 3339)");
  Hide(time_option("--before", options.max_create_time, ""));
  command
      .add_option("--recipient-phone-number", options.recipient,
                  "phone number of the recipient in E.164 form")
      ->type_name(kText);
  Hide(command.add_option("--to", options.recipient, ""));
  auto* page_token =
      command
          .add_option("--page-token", options.page_token, "continue a list with the same filter")
          ->type_name(kText);
  command
      .add_flag("--overdue", options.overdue,
                "only alerts that have expired and are not final; exit 1 if there are any")
      ->excludes(state)
      ->excludes(page_token);  // belongs to another filter: the time is part of it
}

void AddCommonOptions(CLI::App& command, Options& options) {
  AddSeconds(command, "--grace", options.grace_seconds, 0, kMaxGraceSeconds,
             "with --overdue: time after the expire time that is not yet overdue");
  AddLimit(command, options.limit, kMaxLimit);
  options.service.AddTo(command, "TOCSIN_AUDIT_GRPC", "timeout of each page, including retries");
}

void SetAction(CLI::App& command, const std::shared_ptr<Options>& options, Action& action) {
  command.callback([options, &action] {
    action = [options](const Common& common) { return List(*options, common); };
  });
}

// The old name of `list --overdue`.
void AddReportOpen(CLI::App& app, Action& action) {
  CLI::App& report = *Hide(app.add_subcommand("report"));
  report.require_subcommand(1);
  CLI::App& open = *Hide(report.add_subcommand("open", "list overdue alerts"));
  const auto options = std::make_shared<Options>();
  options->overdue = true;
  AddCommonOptions(open, *options);
  SetAction(open, options, action);
}

}  // namespace

void AddList(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("list", "list alerts by filter, newest first");
  AddFilters(command, *options);
  AddCommonOptions(command, *options);
  SetAction(command, options, action);
  AddReportOpen(app, action);
}

}  // namespace tocsin::cli
