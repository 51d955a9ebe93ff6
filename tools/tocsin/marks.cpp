// tocsin cancel, tocsin ack: stop what is still to come of an alert.
#include <iostream>
#include <memory>

#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

struct Options {
  std::string alert_id;
  std::string by;
  ServiceOptions service;
};

std::string_view NameOf(v1::CancelResponse::Outcome outcome) {
  switch (outcome) {
    case v1::CancelResponse::OUTCOME_CANCELLED: return "CANCELLED";
    case v1::CancelResponse::OUTCOME_TOO_LATE: return "TOO_LATE";
    case v1::CancelResponse::OUTCOME_ALREADY_ENDED: return "ALREADY_ENDED";
    default: return "UNKNOWN";
  }
}

const char* Explained(v1::CancelResponse::Outcome outcome) {
  switch (outcome) {
    case v1::CancelResponse::OUTCOME_CANCELLED: return "nothing was sent and nothing will be";
    case v1::CancelResponse::OUTCOME_TOO_LATE: return "what had begun goes on; no later try begins";
    case v1::CancelResponse::OUTCOME_ALREADY_ENDED: return "it had come to its end before";
    default: return "this version does not know the answer";
  }
}

int Cancel(const Options& options, const Common& common) {
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto stub = v1::AlertService::NewStub(client->channel());
  v1::CancelRequest request;
  request.set_alert_id(options.alert_id);
  v1::CancelResponse response;
  const auto called = client->Call(
      [&](grpc::ClientContext& context) { return stub->Cancel(&context, request, &response); });
  if (!called) return Report(called.error());
  if (common.json) {
    PrintJson({{"alert_id", options.alert_id}, {"outcome", NameOf(response.outcome())}});
  } else {
    std::cout << NameOf(response.outcome()) << "  " << Explained(response.outcome()) << '\n';
  }
  return response.outcome() == v1::CancelResponse::OUTCOME_CANCELLED ? kDone : kRefused;
}

int Acknowledge(const Options& options, const Common& common) {
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  const auto stub = v1::AlertService::NewStub(client->channel());
  v1::AcknowledgeRequest request;
  request.set_alert_id(options.alert_id);
  request.set_acknowledged_by(options.by);
  v1::AcknowledgeResponse response;
  const auto called = client->Call([&](grpc::ClientContext& context) {
    return stub->Acknowledge(&context, request, &response);
  });
  if (!called) return Report(called.error());
  if (common.json) {
    PrintJson({{"alert_id", options.alert_id}, {"first", response.first()}});
  } else {
    std::cout << (response.first() ? "acknowledged\n" : "somebody had acknowledged it before\n");
  }
  return kDone;
}

CLI::App& AddVerb(CLI::App& app, const char* name, const char* help,
                  const std::shared_ptr<Options>& options, Action& action,
                  int (*run)(const Options&, const Common&)) {
  CLI::App& command = *app.add_subcommand(name, help);
  command.add_option("alert_id", options->alert_id, "the alert's id")->required();
  options->service.AddTo(command, "TOCSIN_INGRESS_GRPC");
  command.callback([options, &action, run] {
    action = [options, run](const Common& common) { return run(*options, common); };
  });
  return command;
}

}  // namespace

void AddMarks(CLI::App& app, Action& action) {
  AddVerb(app, "cancel", "stop an alert: exit 0 nothing was sent, 1 too late or ended before",
          std::make_shared<Options>(), action, Cancel);
  const auto options = std::make_shared<Options>();
  AddVerb(app, "ack", "say that somebody took notice of an alert", options, action, Acknowledge)
      .add_option("--by", options->by, "who, free of personal data, such as a user's id")
      ->required();
}

}  // namespace tocsin::cli
