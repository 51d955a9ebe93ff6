#include <google/protobuf/util/time_util.h>

#include <iostream>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kPage = 1'000;  // the service's own bound
constexpr int kMostSeen = 1'000'000;

struct Options {
  ServiceOptions service{.address = {}, .api_key_file = {}, .timeout_seconds = 60};
  double grace_seconds = 0;
};

// Past its deadline for longer than the grace.
bool IsOverdue(const v1::Alert& alert, double grace_seconds) {
  if (!alert.has_expire_time()) return false;
  const auto late = TimeUtil::GetCurrentTime() - alert.expire_time();
  return static_cast<double>(TimeUtil::DurationToMilliseconds(late)) > grace_seconds * 1000;
}

Status Walk(const ServiceClient& client, const std::function<void(const v1::Alert&)>& see) {
  const auto stub = v1::StatusService::NewStub(client.channel());
  v1::ListAlertsRequest request;
  request.set_page_size(kPage);
  for (const v1::AlertState state :
       {v1::ALERT_STATE_PENDING, v1::ALERT_STATE_SENDING, v1::ALERT_STATE_SENT})
    request.add_states(state);
  for (int seen = 0; seen < kMostSeen;) {
    v1::ListAlertsResponse page;
    TOCSIN_CHECK_OK(client.Call(
        [&](grpc::ClientContext& context) { return stub->ListAlerts(&context, request, &page); }));
    for (const v1::Alert& alert : page.alerts()) see(alert);
    seen += page.alerts_size();
    if (page.next_page_token().empty()) return {};
    request.set_page_token(page.next_page_token());
  }
  return Fail(ErrorCode::kTooManyItems, "more than 1 000 000 alerts are under way");
}

int Open(const Options& options, const Common& common) {
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  nlohmann::json overdue = nlohmann::json::array();
  size_t under_way = 0;
  const Status walked = Walk(*client, [&](const v1::Alert& alert) {
    ++under_way;
    if (!IsOverdue(alert, options.grace_seconds)) return;
    overdue.push_back(ToJson(alert, false));
    if (!common.json)
      std::cout << "deadline " << TimeText(alert.expire_time()) << "  " << HeadLine(alert) << '\n';
  });
  if (!walked) return Report(walked.error());
  if (common.json) {
    PrintJson({{"under_way", under_way}, {"overdue", overdue}});
  } else {
    std::cout << under_way << " under way, " << overdue.size()
              << " past their deadline without an end\n";
  }
  return overdue.empty() ? kDone : kRefused;
}

}  // namespace

void AddReport(CLI::App& app, Action& action) {
  CLI::App& report = *app.add_subcommand("report", "sums and lists for people who look after it");
  report.require_subcommand(1);
  const auto options = std::make_shared<Options>();
  CLI::App& open = *report.add_subcommand(
      "open", "alerts past their deadline without an end; exit 1 when there are any");
  open.add_option("--grace", options->grace_seconds,
                  "seconds behind the deadline that count as in time: receipts come late")
      ->check(CLI::Range(0.0, 604'800.0))
      ->capture_default_str();
  options->service.AddTo(open, "TOCSIN_AUDIT_GRPC");
  open.callback([options, &action] {
    action = [options](const Common& common) { return Open(*options, common); };
  });
}

}  // namespace tocsin::cli
