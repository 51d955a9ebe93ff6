#include <charconv>
#include <iostream>

#include "common/domain/ids.h"
#include "tocsin/v1/admin_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr int kPage = 1'000;  // the service's own bound
constexpr int kMostLetters = 100'000;

struct Options {
  ServiceOptions service;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  std::string reason;
  int limit = 50;
  std::string name;  // ALERT.STEP.TRY
  bool force = false;
  std::string why;
};

Result<v1::TryName> ReadName(const std::string& text) {
  v1::TryName name;
  const size_t attempt = text.rfind('.');
  const size_t step = attempt == std::string::npos || attempt == 0 ? std::string::npos
                                                                   : text.rfind('.', attempt - 1);
  std::uint32_t numbers[2] = {};
  if (step != std::string::npos) {
    const char* begin = text.data();
    std::from_chars(begin + step + 1, begin + attempt, numbers[0]);
    std::from_chars(begin + attempt + 1, begin + text.size(), numbers[1]);
    name.set_alert_id(text.substr(0, step));
    name.set_step(numbers[0]);
    name.set_try_(numbers[1]);
  }
  if (TryText(name) != text)
    return Fail(ErrorCode::kInvalidConfig, "is not ALERT_ID.STEP.TRY, as `dlq list` prints it",
                "name");
  return name;
}

nlohmann::json ToJson(const v1::DeadLetter& letter) {
  return {{"name", TryText(letter.try_())},
          {"alert_id", letter.try_().alert_id()},
          {"step", letter.try_().step()},
          {"try", letter.try_().try_()},
          {"client_id", letter.client_id()},
          {"reason", letter.reason()},
          {"explanation", letter.explanation()},
          {"time", TimeText(letter.time())},
          {"position",
           {{"topic", letter.position().topic()},
            {"partition", letter.position().partition()},
            {"offset", letter.position().offset()}}}};
}

void Print(const v1::DeadLetter& letter) {
  std::cout << TimeText(letter.time()) << "  " << TryText(letter.try_()) << "  "
            << letter.client_id() << "  " << letter.reason()
            << (letter.explanation().empty() ? "" : ": " + letter.explanation()) << '\n';
}

// Hands over each open letter, newest first, until `take` wants no more.
Status Walk(const ServiceClient& client, const Options& options, int page_size,
            const std::function<bool(const v1::DeadLetter&)>& take) {
  const auto stub = v1::AdminService::NewStub(client.channel());
  v1::ListDeadLettersRequest request;
  request.set_page_size(page_size);
  request.set_channel(options.channel);
  request.set_reason(options.reason);
  do {
    v1::ListDeadLettersResponse page;
    TOCSIN_CHECK_OK(client.Call([&](grpc::ClientContext& context) {
      return stub->ListDeadLetters(&context, request, &page);
    }));
    for (const v1::DeadLetter& letter : page.dead_letters())
      if (!take(letter)) return {};
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return {};
}

int List(const ServiceClient& client, const Options& options, const Common& common) {
  nlohmann::json letters = nlohmann::json::array();
  int left = options.limit;
  bool more = false;
  const Status walked =
      Walk(client, options, std::min(options.limit, kPage), [&](const v1::DeadLetter& letter) {
        more = left-- == 0;
        if (more) return false;
        common.json ? letters.push_back(ToJson(letter)) : Print(letter);
        return true;
      });
  if (!walked) return Report(walked.error());
  if (common.json) PrintJson({{"dead_letters", letters}, {"more", more}});
  if (!common.json && more) std::cerr << "there are more: --limit\n";
  return kDone;
}

int Show(const ServiceClient& client, const Options& options, const Common& common) {
  if (const auto name = ReadName(options.name); !name) return Report(name.error());
  std::optional<v1::DeadLetter> found;
  const Status walked = Walk(client, {}, kPage, [&](const v1::DeadLetter& letter) {
    if (TryText(letter.try_()) == options.name) found = letter;
    return !found;
  });
  if (!walked) return Report(walked.error());
  if (!found)
    return Report({.code = ErrorCode::kNotFound, .message = "no open dead letter has this name"});
  if (common.json) {
    PrintJson(ToJson(*found));
  } else {
    Print(*found);
    std::cout << "  record: " << found->position().topic() << '/' << found->position().partition()
              << '/' << found->position().offset() << '\n';
  }
  return kDone;
}

int Redrive(const ServiceClient& client, const Options& options, const Common& common) {
  const auto name = ReadName(options.name);
  if (!name) return Report(name.error());
  v1::RedriveDeadLetterRequest request;
  *request.mutable_try_() = *name;
  request.set_force(options.force);
  v1::RedriveDeadLetterResponse response;
  const auto stub = v1::AdminService::NewStub(client.channel());
  const auto called = client.Call([&](grpc::ClientContext& context) {
    return stub->RedriveDeadLetter(&context, request, &response);
  });
  if (!called) return Report(called.error());
  if (common.json) {
    PrintJson(
        {{"name", options.name}, {"next", TryText(response.try_())}, {"forced", options.force}});
  } else {
    std::cout << options.name << " goes on as " << TryText(response.try_()) << '\n';
  }
  return kDone;
}

int Drop(const ServiceClient& client, const Options& options, const Common& common) {
  const auto name = ReadName(options.name);
  if (!name) return Report(name.error());
  v1::DropDeadLetterRequest request;
  *request.mutable_try_() = *name;
  request.set_reason(options.why);
  v1::DropDeadLetterResponse response;
  const auto stub = v1::AdminService::NewStub(client.channel());
  const auto called = client.Call([&](grpc::ClientContext& context) {
    return stub->DropDeadLetter(&context, request, &response);
  });
  if (!called) return Report(called.error());
  if (common.json) {
    PrintJson({{"name", options.name}, {"dropped", true}});
  } else {
    std::cout << options.name << " is closed\n";
  }
  return kDone;
}

using Run = int (*)(const ServiceClient&, const Options&, const Common&);

CLI::App& AddVerb(CLI::App& parent, const char* verb, const char* help,
                  const std::shared_ptr<Options>& options, Action& action, Run run) {
  CLI::App& command = *parent.add_subcommand(verb, help);
  options->service.AddTo(command, "TOCSIN_AUDIT_GRPC");
  command.callback([options, &action, run] {
    action = [options, run](const Common& common) {
      const auto client = ServiceClient::Connect(options->service);
      return client ? run(*client, *options, common) : Report(client.error());
    };
  });
  return command;
}

void AddName(CLI::App& command, Options& options) {
  command.add_option("name", options.name, "ALERT_ID.STEP.TRY")->required();
}

}  // namespace

void AddDlq(CLI::App& app, Action& action) {
  CLI::App& dlq = *app.add_subcommand("dlq", "work that was given up; needs the scope admin");
  dlq.require_subcommand(1);
  const auto options = std::make_shared<Options>();
  CLI::App& list = AddVerb(dlq, "list", "what is open, newest first", options, action, List);
  list.add_option("--channel", options->channel, "sms or voice")
      ->transform(CLI::CheckedTransformer(kChannels, CLI::ignore_case));
  list.add_option("--reason", options->reason, "from the closed list, such as RETRIES_EXHAUSTED");
  list.add_option("--limit", options->limit, "the most that are listed")
      ->check(CLI::Range(1, kMostLetters))
      ->capture_default_str();
  AddName(AddVerb(dlq, "show", "one of them", options, action, Show), *options);
  CLI::App& redrive = AddVerb(dlq, "redrive", "publish its next try, within the alert's time",
                              options, action, Redrive);
  AddName(redrive, *options);
  redrive.add_flag(
      "--force", options->force,
      "also when a try was sent or is in doubt: the person may get it twice; recorded");
  CLI::App& drop = AddVerb(dlq, "drop", "close it", options, action, Drop);
  AddName(drop, *options);
  drop.add_option("--reason", options->why, "why, free of personal data")->required();
}

}  // namespace tocsin::cli
