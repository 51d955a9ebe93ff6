#include <iostream>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr int kPage = 1'000;  // the service's own bound
constexpr int kMostAlerts = 100'000;

struct Options {
  ServiceOptions service;
  std::vector<v1::AlertState> states;
  std::vector<v1::AlertClass> classes;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  std::vector<std::string> labels;
  std::string after;
  std::string before;
  std::string recipient;
  std::string page_token;
  int limit = 50;
};

Result<v1::ListAlertsRequest> Build(const Options& options) {
  v1::ListAlertsRequest request;
  for (const v1::AlertState state : options.states) request.add_states(state);
  for (const v1::AlertClass alert_class : options.classes) request.add_classes(alert_class);
  request.set_channel(options.channel);
  request.set_recipient(options.recipient);
  request.set_page_token(options.page_token);
  TOCSIN_CHECK_OK(ReadLabels(options.labels, *request.mutable_labels()));
  if (!options.after.empty())
    TOCSIN_CHECK_OK(ReadTime(options.after, "--after", *request.mutable_accepted_after()));
  if (!options.before.empty())
    TOCSIN_CHECK_OK(ReadTime(options.before, "--before", *request.mutable_accepted_before()));
  return request;
}

// Pages until there are as many as asked for, or no more.
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

int List(const Options& options, const Common& common) {
  const auto request = Build(options);
  if (!request) return Report(request.error());
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto listed = Fetch(*client, *request, options.limit);
  if (!listed) return Report(listed.error());
  if (common.json) {
    nlohmann::json alerts = nlohmann::json::array();
    for (const v1::Alert& alert : listed->alerts()) alerts.push_back(ToJson(alert, false));
    PrintJson({{"alerts", alerts}, {"next_page_token", listed->next_page_token()}});
    return kDone;
  }
  for (const v1::Alert& alert : listed->alerts())
    std::cout << TimeText(alert.accept_time()) << "  " << NameOf(alert.class_()) << ' '
              << NameOf(alert.channel()) << "  " << HeadLine(alert) << '\n';
  if (!listed->next_page_token().empty())
    std::cerr << "there are more: --limit, or --page-token " << listed->next_page_token() << '\n';
  return kDone;
}

}  // namespace

void AddList(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("list", "alerts by filter, newest first");
  command
      .add_option("--state", options->states, "pending, sending, sent, delivered, …; repeatable")
      ->transform(CLI::CheckedTransformer(kStates, CLI::ignore_case));
  command.add_option("--class", options->classes, "emergency, high, normal or bulk; repeatable")
      ->transform(CLI::CheckedTransformer(kClasses, CLI::ignore_case));
  command.add_option("--channel", options->channel, "sms or voice")
      ->transform(CLI::CheckedTransformer(kChannels, CLI::ignore_case));
  command.add_option("--label", options->labels, "NAME=VALUE; repeatable: all of them");
  command.add_option("--after", options->after, "accepted at or after this time (RFC 3339)");
  command.add_option("--before", options->before, "accepted before this time (RFC 3339)");
  command.add_option("--to", options->recipient, "recipient, + and digits");
  command.add_option("--limit", options->limit, "the most that are listed")
      ->check(CLI::Range(1, kMostAlerts))
      ->capture_default_str();
  command.add_option("--page-token", options->page_token, "go on behind an earlier list");
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC");
  command.callback([options, &action] {
    action = [options](const Common& common) { return List(*options, common); };
  });
}

}  // namespace tocsin::cli
