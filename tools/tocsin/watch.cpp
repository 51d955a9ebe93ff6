#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <set>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr size_t kDefaultWidth = 100;

struct Options {
  ServiceOptions service{.address = {}, .api_key_file = {}, .timeout_seconds = 60};
  std::string alert_id;
  std::string position;
};

size_t TerminalWidth() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                         : kDefaultWidth;
}

// Shows the alert again and again, each time in its newest state.
class Screen {
 public:
  explicit Screen(bool json) : json_(json), live_(!json && isatty(STDOUT_FILENO) == 1) {}

  void Show(const v1::Alert& alert) {
    if (json_) {
      PrintJson(ToJson(alert, true));
    } else if (live_) {
      Redraw(alert);
    } else {
      Append(alert);
    }
    std::cout.flush();
  }

 private:
  // In place of what was shown before.
  void Redraw(const v1::Alert& alert) {
    constexpr char kUpAndClear[] = "\x1b[%zuA\x1b[J";
    if (lines_ > 0) std::printf(kUpAndClear, lines_);
    lines_ = 0;
    const size_t width = TerminalWidth();
    const auto line = [&](std::string text) {
      if (text.size() >= width) text.resize(width - 1);  // a broken line would count twice
      std::cout << text << '\n';
      ++lines_;
    };
    std::fflush(stdout);
    line((IsEnd(alert.state()) ? "* " : "> ") + HeadLine(alert));
    for (const v1::TimelineEntry& entry : alert.timeline()) line("  | " + Line(entry));
    if (!IsEnd(alert.state())) line("  . waiting; Ctrl-C leaves, the alert goes on");
  }

  // What was not told yet.
  void Append(const v1::Alert& alert) {
    for (const v1::TimelineEntry& entry : alert.timeline()) {
      std::string text = Line(entry);
      if (told_.insert(text).second) std::cout << text << '\n';
    }
    if (alert.state() == state_) return;
    state_ = alert.state();
    std::cout << HeadLine(alert) << '\n';
  }

  const bool json_;
  const bool live_;
  size_t lines_ = 0;
  std::set<std::string> told_;
  v1::AlertState state_ = v1::ALERT_STATE_UNSPECIFIED;
};

int Watch(const Options& options, const Common& common) {
  v1::WatchAlertRequest request;
  request.set_alert_id(options.alert_id);
  if (!options.position.empty())
    if (const auto read = ReadPosition(options.position, *request.mutable_min_position()); !read)
      return Report(read.error());
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto stub = v1::StatusService::NewStub(client->channel());
  Screen screen(common.json);
  v1::Alert last;
  // A replica that stops ends the stream: another one goes on behind the last revision.
  const auto followed = client->Follow([&](grpc::ClientContext& context, const auto& heard) {
    const auto reader = stub->WatchAlert(&context, request);
    v1::WatchAlertResponse response;
    while (reader->Read(&response)) {
      heard();
      if (response.alert().revision() <= last.revision()) continue;
      last = response.alert();
      screen.Show(last);
    }
    return reader->Finish();
  });
  if (!followed) return Report(followed.error());
  const bool reached =
      last.state() == v1::ALERT_STATE_DELIVERED || last.state() == v1::ALERT_STATE_ACKNOWLEDGED;
  return reached ? kDone : kRefused;
}

}  // namespace

void AddWatch(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(
      "watch", "an alert's timeline as it happens; exit 0 when it reached the person, 1 when not");
  command.add_option("alert_id", options->alert_id, "the alert's id")->required();
  command.add_option("--min-position", options->position,
                     "TOPIC/PARTITION/OFFSET of its acceptance: begin no earlier than that");
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC",
                         "seconds the service may be unreachable; the watch itself has no limit");
  command.callback([options, &action] {
    action = [options](const Common& common) { return Watch(*options, common); };
  });
}

}  // namespace tocsin::cli
