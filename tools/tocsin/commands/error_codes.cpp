// tocsin error-codes: explains Twilio's error codes.
#include <iostream>

#include "common/twilio/error_codes.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

void Print(const twilio::ErrorCodeInfo& error, int code, const Common& common) {
  if (common.json) {
    PrintJson({{"code", code},
               {"error_class", twilio::NameOf(error.error_class)},
               {"reason", error.reason},
               {"action", error.action}});
  } else {
    std::cout << code << "  " << twilio::NameOf(error.error_class) << "  " << error.reason << "; "
              << error.action << '\n';
  }
}

CLI::App* AddVerb(CLI::App& app, const char* name, Action& action) {
  const auto code = std::make_shared<int>(0);
  CLI::App& command =
      *app.add_subcommand(name, "explain Twilio's error codes: class, reason, recommended action");
  command.add_option("code", *code, "one code; default: all")->type_name("CODE");
  command.callback([code, &action] {
    action = [code](const Common& common) {
      if (*code != 0) {
        Print(twilio::Describe(*code), *code, common);
      } else {
        for (const twilio::ErrorCodeInfo& error : twilio::AllErrorCodes())
          Print(error, error.code, common);
      }
      return kDone;
    };
  });
  return &command;
}

}  // namespace

void AddErrorCodes(CLI::App& app, Action& action) {
  AddVerb(app, "error-codes", action);
  Hide(AddVerb(app, "errors", action));
}

}  // namespace tocsin::cli
