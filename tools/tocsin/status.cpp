#include <google/protobuf/util/time_util.h>

#include <iostream>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

using google::protobuf::util::TimeUtil;

struct Options {
  ServiceOptions service;
  std::string alert_id;
  std::string position;  // TOPIC/PARTITION/OFFSET
  double wait_seconds = 5;
};

// "ALERT_STATE_DELIVERED" as "DELIVERED".
std::string Bare(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}
std::string NameOf(v1::TryStatus status) { return Bare(v1::TryStatus_Name(status), "TRY_STATUS_"); }
std::string NameOf(v1::AlertState state) {
  return Bare(v1::AlertState_Name(state), "ALERT_STATE_");
}

Status ReadPosition(const std::string& text, v1::Position& position) {
  const size_t offset = text.rfind('/');
  const size_t partition = offset == std::string::npos ? offset : text.rfind('/', offset - 1);
  try {
    if (partition == std::string::npos || partition == 0) throw std::invalid_argument("");
    position.set_topic(text.substr(0, partition));
    position.set_partition(std::stoi(text.substr(partition + 1, offset - partition - 1)));
    position.set_offset(std::stoll(text.substr(offset + 1)));
    return {};
  } catch (const std::exception&) {
    return Fail(ErrorCode::kInvalidConfig, "is not TOPIC/PARTITION/OFFSET", "--min-position");
  }
}

nlohmann::json ToJson(const v1::Alert& alert) {
  nlohmann::json json{
      {"alert_id", alert.alert_id()},
      {"client_id", alert.client_id()},
      {"state", NameOf(alert.state())},
      {"reason", alert.reason()},
      {"class", Bare(v1::AlertClass_Name(alert.class_()), "ALERT_CLASS_")},
      {"channel", Bare(v1::Channel_Name(alert.channel()), "CHANNEL_")},
      {"recipient", alert.recipient()},
      {"country", alert.country()},
      {"labels", nlohmann::json::object()},
      {"accept_time", TimeUtil::ToString(alert.accept_time())},
      {"end_time", alert.has_end_time() ? nlohmann::json(TimeUtil::ToString(alert.end_time()))
                                        : nlohmann::json()},
      {"revision", alert.revision()},
      {"tries", nlohmann::json::array()},
      {"timeline", nlohmann::json::array()}};
  for (const auto& [name, value] : alert.labels()) json["labels"][name] = value;
  for (const v1::Try& attempt : alert.tries())
    json["tries"].push_back({{"step", attempt.step()},
                             {"try", attempt.try_()},
                             {"status", NameOf(attempt.status())},
                             {"reason", attempt.reason()},
                             {"provider_code", attempt.provider_code()},
                             {"provider_sid", attempt.provider_sid()},
                             {"explanation", attempt.explanation()},
                             {"segments", attempt.segments()},
                             {"sender", attempt.sender()},
                             {"doubted", attempt.doubted()}});
  for (const v1::TimelineEntry& entry : alert.timeline())
    json["timeline"].push_back({{"time", TimeUtil::ToString(entry.time())},
                                {"what", entry.what()},
                                {"step", entry.step()},
                                {"try", entry.try_()},
                                {"status", NameOf(entry.status())}});
  return json;
}

void PrintTable(const v1::Alert& alert) {
  std::cout << alert.alert_id() << "  " << NameOf(alert.state())
            << (alert.reason().empty() ? "" : " (" + alert.reason() + ")") << "  to "
            << alert.recipient() << ' ' << alert.country() << '\n';
  for (const v1::TimelineEntry& entry : alert.timeline())
    std::cout << "  " << TimeUtil::ToString(entry.time()) << "  " << entry.what() << '\n';
}

int Show(const Options& options, const Common& common) {
  v1::GetAlertRequest request;
  request.set_alert_id(options.alert_id);
  if (!options.position.empty()) {
    if (const auto read = ReadPosition(options.position, *request.mutable_min_position()); !read)
      return Report(read.error());
    *request.mutable_wait() =
        TimeUtil::MillisecondsToDuration(static_cast<std::int64_t>(options.wait_seconds * 1000));
  }
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto stub = v1::StatusService::NewStub(client->channel());
  v1::GetAlertResponse response;
  const auto called = client->Call(
      [&](grpc::ClientContext& context) { return stub->GetAlert(&context, request, &response); });
  if (!called) return Report(called.error());
  if (common.json) {
    PrintJson(ToJson(response.alert()));
  } else {
    PrintTable(response.alert());
  }
  return kDone;
}

}  // namespace

void AddStatus(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("status", "what became of an alert");
  command.add_option("alert_id", options->alert_id, "the alert's id")->required();
  command.add_option("--min-position", options->position,
                     "TOPIC/PARTITION/OFFSET of its acceptance: read no earlier than that");
  command.add_option("--wait", options->wait_seconds, "seconds to wait for that position")
      ->check(CLI::Range(0.0, 30.0))
      ->capture_default_str();
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC");
  command.callback([options, &action] {
    action = [options](const Common& common) { return Show(*options, common); };
  });
}

}  // namespace tocsin::cli
