#include <google/protobuf/util/time_util.h>

#include <iostream>

#include "tocsin/v1/status_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

struct Options {
  ServiceOptions service;
  std::string alert_id;
  std::string position;  // TOPIC/PARTITION/OFFSET
  double wait_seconds = 5;
};

int Show(const Options& options, const Common& common) {
  v1::GetAlertRequest request;
  request.set_alert_id(options.alert_id);
  if (!options.position.empty()) {
    if (const auto read = ReadPosition(options.position, *request.mutable_min_position()); !read)
      return Report(read.error());
    *request.mutable_wait() = google::protobuf::util::TimeUtil::MillisecondsToDuration(
        static_cast<std::int64_t>(options.wait_seconds * 1000));
  }
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto stub = v1::StatusService::NewStub(client->channel());
  v1::GetAlertResponse response;
  const auto called = client->Call(
      [&](grpc::ClientContext& context) { return stub->GetAlert(&context, request, &response); });
  if (!called) return Report(called.error());
  if (common.json) {
    PrintJson(ToJson(response.alert(), true));
  } else {
    std::cout << HeadLine(response.alert()) << '\n';
    for (const v1::TimelineEntry& entry : response.alert().timeline())
      std::cout << "  " << Line(entry) << '\n';
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
