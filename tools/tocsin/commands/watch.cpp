// tocsin watch: prints the timeline of an alert until it is final.
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <set>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr size_t kDefaultWidth = 100;

struct Options {
  ServiceOptions service{
      .address = {}, .api_key_file = {}, .timeout_seconds = 60, .address_variable = {}};
  std::string alert_id;
  std::string consistency_token;  // base64
};

size_t TerminalWidth() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                         : kDefaultWidth;
}

// Shows each revision of the alert: redraws in a terminal, appends otherwise.
class Screen {
 public:
  explicit Screen(bool json) : json_(json), terminal_(!json && isatty(STDOUT_FILENO) == 1) {}

  void Show(const v1::Alert& alert) {
    if (json_) {
      PrintJson(ToJson(alert, true));
    } else if (terminal_) {
      Redraw(alert);
    } else {
      Append(alert);
    }
    std::cout.flush();
  }

 private:
  void Redraw(const v1::Alert& alert) {
    constexpr char kUpAndClear[] = "\x1b[%zuA\x1b[J";
    if (lines_ > 0) std::printf(kUpAndClear, lines_);
    lines_ = 0;
    const size_t width = TerminalWidth();
    const auto print = [&](const std::string& text) {
      std::cout << Truncated(text, width - 1) << '\n';  // a wrapped line would count twice
      ++lines_;
    };
    std::fflush(stdout);
    print((IsFinal(alert.state()) ? "* " : "> ") + SummaryOf(alert));
    for (const std::string& line : PlanLinesOf(alert)) print(line);
    for (const v1::TimelineEntry& entry : alert.timeline()) print("  | " + LineOf(entry));
    if (!IsFinal(alert.state())) print("  . in progress; Ctrl-C ends the watch, not the alert");
  }

  void Append(const v1::Alert& alert) {
    for (const v1::TimelineEntry& entry : alert.timeline()) {
      std::string text = LineOf(entry);
      if (printed_.insert(text).second) std::cout << text << '\n';
    }
    AppendPlan(PlanLinesOf(alert));
    if (alert.state() == state_) return;
    state_ = alert.state();
    std::cout << SummaryOf(alert) << '\n';
  }

  // Prints the lines that have changed.
  void AppendPlan(std::vector<std::string> lines) {
    for (size_t i = 0; i < lines.size(); ++i)
      if (i >= plan_lines_.size() || plan_lines_[i] != lines[i]) std::cout << lines[i] << '\n';
    plan_lines_ = std::move(lines);
  }

  const bool json_;
  const bool terminal_;
  size_t lines_ = 0;
  std::set<std::string> printed_;
  std::vector<std::string> plan_lines_;
  v1::AlertState state_ = v1::ALERT_STATE_UNSPECIFIED;
};

Result<v1::WatchAlertRequest> BuildRequest(const Options& options) {
  v1::WatchAlertRequest request;
  v1::AlertCursor& cursor = *request.add_alerts();
  cursor.set_alert_id(options.alert_id);
  if (!options.consistency_token.empty()) {
    TOCSIN_TRY(*cursor.mutable_consistency_token(),
               ReadConsistencyToken(options.consistency_token));
  }
  return request;
}

int Watch(const Options& options, const Common& common) {
  auto request = BuildRequest(options);
  if (!request) return ReportMisuse(request.error());
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const auto stub = v1::StatusService::NewStub(client->channel());
  Screen screen(common.json);
  v1::Alert last;
  // A new stream, perhaps from another replica, resumes after the last revision.
  const Status ended = client->Follow([&](grpc::ClientContext& context, const auto& on_response) {
    request->mutable_alerts(0)->set_after_revision(last.revision());
    const auto reader = stub->WatchAlert(&context, *request);
    v1::WatchAlertResponse response;
    while (reader->Read(&response)) {
      on_response();
      if (response.alert().revision() <= last.revision()) continue;
      last = response.alert();
      screen.Show(last);
    }
    return reader->Finish();
  });
  if (!ended) return Report(ended.error());
  const bool reached =
      last.state() == v1::ALERT_STATE_DELIVERED || last.state() == v1::ALERT_STATE_ACKNOWLEDGED;
  return reached ? kDone : kRefused;
}

}  // namespace

void AddWatch(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(
      "watch", "follow an alert until it is final; exit 0 if delivered or acknowledged, else 1");
  command.add_option("alert_id", options->alert_id, "id of the alert")
      ->required()
      ->type_name(kText);
  command
      .add_option("--consistency-token", options->consistency_token,
                  "token that `send` printed: the watch starts when the acceptance is visible")
      ->type_name("BASE64");
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC",
                         "how long the service may be unreachable; the watch has no time limit");
  command.callback([options, &action] {
    action = [options](const Common& common) { return Watch(*options, common); };
  });
}

}  // namespace tocsin::cli
