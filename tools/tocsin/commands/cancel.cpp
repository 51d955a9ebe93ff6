// tocsin cancel, tocsin ack: stop the attempts of an alert that have not started.
#include <iostream>
#include <memory>

#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

struct Options {
  ServiceOptions service;
  std::string alert_id;
  std::string actor_id;
  std::string person;
};

struct OutcomeText {
  const char* name;
  const char* description;
};

OutcomeText TextOf(v1::CancelOutcome outcome) {
  switch (outcome) {
    case v1::CANCEL_OUTCOME_CANCELLED: return {"CANCELLED", "nothing was sent"};
    case v1::CANCEL_OUTCOME_TOO_LATE:
      return {"TOO_LATE", "attempt already in progress; later attempts are cancelled"};
    case v1::CANCEL_OUTCOME_ALREADY_ENDED: return {"ALREADY_ENDED", "already final"};
    default: return {"UNKNOWN", "outcome unknown to this version"};
  }
}

int Cancel(const Options& options, const Common& common) {
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const auto stub = v1::AlertService::NewStub(client->channel());
  v1::CancelRequest request;
  request.set_alert_id(options.alert_id);
  v1::CancelResponse response;
  const Status cancelled = client->Call(
      [&](grpc::ClientContext& context) { return stub->Cancel(&context, request, &response); });
  if (!cancelled) return Report(cancelled.error());
  const OutcomeText text = TextOf(response.outcome());
  if (common.json) {
    PrintJson({{"alert_id", options.alert_id}, {"outcome", text.name}});
  } else {
    std::cout << text.name << "  " << text.description << '\n';
  }
  return response.outcome() == v1::CANCEL_OUTCOME_CANCELLED ? kDone : kRefused;
}

int Acknowledge(const Options& options, const Common& common) {
  const std::string& actor_id = options.actor_id.empty() ? options.person : options.actor_id;
  if (actor_id.empty())
    return ReportMisuse({.code = ErrorCode::kInvalidArgument,
                         .message = "is required, such as a user id; or give --person",
                         .field = "--actor-id"});
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const auto stub = v1::AlertService::NewStub(client->channel());
  v1::AcknowledgeRequest request;
  request.set_alert_id(options.alert_id);
  request.set_actor_id(actor_id);
  request.set_person(options.person);
  v1::AcknowledgeResponse response;
  const Status acknowledged = client->Call([&](grpc::ClientContext& context) {
    return stub->Acknowledge(&context, request, &response);
  });
  if (!acknowledged) return Report(acknowledged.error());
  if (common.json) {
    PrintJson(
        {{"alert_id", options.alert_id}, {"newly_acknowledged", response.newly_acknowledged()}});
  } else {
    std::cout << (response.newly_acknowledged() ? "acknowledged\n" : "already acknowledged\n");
  }
  return kDone;
}

CLI::App& AddVerb(CLI::App& app, const char* name, const char* help,
                  const std::shared_ptr<Options>& options, Action& action,
                  int (*run)(const Options&, const Common&)) {
  CLI::App& command = *app.add_subcommand(name, help);
  command.add_option("alert_id", options->alert_id, "id of the alert")
      ->required()
      ->type_name(kText);
  options->service.AddTo(command, "TOCSIN_INGRESS_GRPC");
  command.callback([options, &action, run] {
    action = [options, run](const Common& common) { return run(*options, common); };
  });
  return command;
}

}  // namespace

void AddCancel(CLI::App& app, Action& action) {
  AddVerb(app, "cancel", "cancel an alert; exit 0 if nothing was sent, 1 if too late or final",
          std::make_shared<Options>(), action, Cancel);
  const auto options = std::make_shared<Options>();
  CLI::App& ack = AddVerb(app, "ack", "record that a person acknowledged an alert", options, action,
                          Acknowledge);
  ack.add_option("--actor-id", options->actor_id,
                 "who acknowledged, free of personal data, such as a user id; default: the person")
      ->type_name(kText);
  ack.add_option("--person", options->person,
                 "person of the plan on whose behalf; default: the actor")
      ->type_name(kText);
  Hide(ack.add_option("--by", options->actor_id));
}

}  // namespace tocsin::cli
