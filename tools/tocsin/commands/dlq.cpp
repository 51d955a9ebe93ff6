// tocsin dlq: dead letters, the attempts that failed and are not retried.
#include <charconv>
#include <iostream>

#include "common/domain/alert/ids.h"
#include "tocsin/v1/admin_service.grpc.pb.h"
#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr int kPage = 1'000;  // the service's maximum
constexpr int kMaxLimit = 100'000;

const Choices<v1::DeadLetterState> kDeadLetterStates{
    {"open", v1::DEAD_LETTER_STATE_OPEN},
    {"redriven", v1::DEAD_LETTER_STATE_REDRIVEN},
    {"discarded", v1::DEAD_LETTER_STATE_DISCARDED}};

struct Options {
  ServiceOptions service;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  std::string reason;  // why the attempt failed
  std::vector<v1::DeadLetterState> states;
  int limit = 50;
  std::string name;  // ALERT_ID.STEP.ATTEMPT
  bool force = false;
  std::string discard_reason;
};

Result<v1::AttemptRef> ReadName(const std::string& text) {
  v1::AttemptRef attempt;
  const size_t last = text.rfind('.');
  const size_t middle =
      last == std::string::npos || last == 0 ? std::string::npos : text.rfind('.', last - 1);
  if (middle != std::string::npos) {
    std::int32_t step = 0, number = 0;
    const char* begin = text.data();
    std::from_chars(begin + middle + 1, begin + last, step);
    std::from_chars(begin + last + 1, begin + text.size(), number);
    attempt.set_alert_id(text.substr(0, middle));
    attempt.set_step(step);
    attempt.set_attempt(number);
  }
  if (attempt.step() >= 1 && attempt.attempt() >= 1 && AttemptText(attempt) == text) return attempt;
  return Fail(ErrorCode::kInvalidArgument,
              "is not ALERT_ID.STEP.ATTEMPT with numbers from 1, as `dlq list` prints it", "name");
}

Status CheckReason(const std::string& reason) {
  if (reason.empty() || ErrorCodeNamed(reason)) return {};
  std::string names;
  for (const std::string& name : ReasonNames()) names += (names.empty() ? "" : ", ") + name;
  return Fail(ErrorCode::kInvalidArgument, "is not one of " + names, "--reason");
}

std::string NameOf(v1::DeadLetterState state) {
  const std::string& name = v1::DeadLetterState_Name(state);
  return name.substr(std::string_view("DEAD_LETTER_STATE_").size());
}

nlohmann::json ToJson(const v1::DeadLetter& letter) {
  return {{"name", AttemptText(letter.attempt())},
          {"alert_id", letter.attempt().alert_id()},
          {"step", letter.attempt().step()},
          {"attempt", letter.attempt().attempt()},
          {"client_id", letter.client_id()},
          {"reason", letter.reason()},
          {"explanation", letter.explanation()},
          {"create_time", TimeText(letter.create_time())},
          {"state", NameOf(letter.state())},
          {"close_time", TimeJson(letter.has_close_time(), letter.close_time())},
          {"actor_id", letter.actor_id()},
          {"discard_reason", letter.discard_reason()}};
}

void Print(const v1::DeadLetter& letter) {
  std::cout << TimeText(letter.create_time()) << "  " << AttemptText(letter.attempt()) << "  "
            << NameOf(letter.state()) << "  " << letter.client_id() << "  " << letter.reason()
            << (letter.explanation().empty() ? "" : ": " + letter.explanation()) << '\n';
}

// Calls `visit` with each dead letter, newest first, until it returns false.
Status ForEach(const ServiceClient& client, v1::ListDeadLettersRequest request,
               const std::function<bool(const v1::DeadLetter&)>& visit) {
  const auto stub = v1::AdminService::NewStub(client.channel());
  do {
    v1::ListDeadLettersResponse page;
    TOCSIN_CHECK_OK(client.Call([&](grpc::ClientContext& context) {
      return stub->ListDeadLetters(&context, request, &page);
    }));
    for (const v1::DeadLetter& letter : page.dead_letters())
      if (!visit(letter)) return {};
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return {};
}

int List(const ServiceClient& client, const Options& options, const Common& common) {
  if (const Status checked = CheckReason(options.reason); !checked)
    return ReportMisuse(checked.error());
  v1::ListDeadLettersRequest request;
  request.set_page_size(std::min(options.limit, kPage));
  request.set_channel(options.channel);
  request.set_reason(options.reason);
  for (const v1::DeadLetterState state : options.states) request.add_states(state);
  nlohmann::json letters = nlohmann::json::array();
  int remaining = options.limit;
  bool has_more = false;
  const Status listed = ForEach(client, request, [&](const v1::DeadLetter& letter) {
    has_more = remaining-- == 0;
    if (has_more) return false;
    common.json ? letters.push_back(ToJson(letter)) : Print(letter);
    return true;
  });
  if (!listed) return Report(listed.error());
  if (common.json) PrintJson({{"dead_letters", letters}, {"has_more", has_more}});
  if (!common.json && has_more) std::cerr << "more dead letters: raise --limit\n";
  return kDone;
}

int Show(const ServiceClient& client, const Options& options, const Common& common) {
  if (const auto name = ReadName(options.name); !name) return ReportMisuse(name.error());
  v1::ListDeadLettersRequest request;
  request.set_page_size(kPage);
  for (const auto& [name, state] : kDeadLetterStates) request.add_states(state);
  std::optional<v1::DeadLetter> found;
  const Status listed = ForEach(client, request, [&](const v1::DeadLetter& letter) {
    if (AttemptText(letter.attempt()) == options.name) found = letter;
    return !found;
  });
  if (!listed) return Report(listed.error());
  if (!found) return Report({.code = ErrorCode::kNotFound, .message = "dead letter not found"});
  common.json ? PrintJson(ToJson(*found)) : Print(*found);
  if (!common.json && found->has_close_time()) {
    std::cout << "  closed " << TimeText(found->close_time()) << " by " << found->actor_id();
    if (!found->discard_reason().empty()) std::cout << ": " << found->discard_reason();
    std::cout << '\n';
  }
  return kDone;
}

int Redrive(const ServiceClient& client, const Options& options, const Common& common) {
  const auto name = ReadName(options.name);
  if (!name) return ReportMisuse(name.error());
  v1::RedriveDeadLetterRequest request;
  *request.mutable_attempt() = *name;
  request.set_force(options.force);
  v1::RedriveDeadLetterResponse response;
  const auto stub = v1::AdminService::NewStub(client.channel());
  const Status redriven = client.Call([&](grpc::ClientContext& context) {
    return stub->RedriveDeadLetter(&context, request, &response);
  });
  if (!redriven) return Report(redriven.error());
  if (common.json) {
    PrintJson({{"name", options.name},
               {"next_attempt", AttemptText(response.attempt())},
               {"forced", options.force}});
  } else {
    std::cout << options.name << " redriven as " << AttemptText(response.attempt()) << '\n';
  }
  return kDone;
}

int Discard(const ServiceClient& client, const Options& options, const Common& common) {
  const auto name = ReadName(options.name);
  if (!name) return ReportMisuse(name.error());
  v1::DiscardDeadLetterRequest request;
  *request.mutable_attempt() = *name;
  request.set_reason(options.discard_reason);
  v1::DiscardDeadLetterResponse response;
  const auto stub = v1::AdminService::NewStub(client.channel());
  const Status discarded = client.Call([&](grpc::ClientContext& context) {
    return stub->DiscardDeadLetter(&context, request, &response);
  });
  if (!discarded) return Report(discarded.error());
  if (common.json) {
    PrintJson({{"name", options.name}, {"discarded", true}});
  } else {
    std::cout << options.name << " discarded\n";
  }
  return kDone;
}

using Run = int (*)(const ServiceClient&, const Options&, const Common&);

// Each verb has options of its own: CLI11 applies the environment to all verbs, whichever was
// given.
CLI::App& AddVerb(CLI::App& parent, const char* verb, const char* help,
                  const std::shared_ptr<Options>& options, Action& action, Run run) {
  CLI::App& command = *parent.add_subcommand(verb, help);
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC");
  command.callback([options, &action, run] {
    action = [options, run](const Common& common) {
      const auto client = ServiceClient::Create(options->service);
      return client ? run(*client, *options, common) : ReportMisuse(client.error());
    };
  });
  return command;
}

void AddName(CLI::App& command, Options& options) {
  command.add_option("name", options.name, "ALERT_ID.STEP.ATTEMPT, as `dlq list` prints it")
      ->required()
      ->type_name(kText);
}

void AddListVerb(CLI::App& dlq, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& list = AddVerb(dlq, "list", "list dead letters, newest first", options, action, List);
  AddChoices(list, "--state", options->states, kDeadLetterStates,
             "state; repeatable; default open");
  AddChoice(list, "--channel", options->channel, kChannels, "channel");
  list.add_option("--reason", options->reason, "why it failed, such as RETRIES_EXHAUSTED")
      ->type_name(kReason);
  AddLimit(list, options->limit, kMaxLimit);
}

CLI::App* AddDiscardVerb(CLI::App& dlq, const char* verb, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& discard = AddVerb(dlq, verb, "discard a dead letter", options, action, Discard);
  AddName(discard, *options);
  discard.add_option("--reason", options->discard_reason, "why, free of personal data")
      ->required()
      ->type_name(kText);
  return &discard;
}

}  // namespace

void AddDlq(CLI::App& app, Action& action) {
  CLI::App& dlq = *app.add_subcommand("dlq", "manage dead letters; needs the scope admin");
  dlq.require_subcommand(1);
  AddListVerb(dlq, action);
  const auto show = std::make_shared<Options>();
  AddName(AddVerb(dlq, "show", "print one dead letter", show, action, Show), *show);
  const auto options = std::make_shared<Options>();
  CLI::App& redrive = AddVerb(dlq, "redrive", "publish a new attempt, before the alert expires",
                              options, action, Redrive);
  AddName(redrive, *options);
  redrive.add_flag("--force", options->force,
                   "even if an attempt was sent or is in doubt: the recipient may get it twice; "
                   "recorded");
  AddDiscardVerb(dlq, "discard", action);
  Hide(AddDiscardVerb(dlq, "drop", action));
}

}  // namespace tocsin::cli
