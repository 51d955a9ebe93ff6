#include <iostream>

#include "common/domain/twilio_errors.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {
namespace {

void Print(const TwilioError& error, int code, const Common& common) {
  if (common.json) {
    PrintJson({{"code", code},
               {"class", NameOf(error.error_class)},
               {"reason", error.reason},
               {"action", error.action}});
  } else {
    std::cout << code << "  " << NameOf(error.error_class) << "  " << error.reason << "; "
              << error.action << '\n';
  }
}

}  // namespace

void AddErrors(CLI::App& app, Action& action) {
  const auto code = std::make_shared<int>(0);
  CLI::App& command =
      *app.add_subcommand("errors", "Twilio's error codes: what they mean, what to do");
  command.add_option("code", *code, "one code; default: all");
  command.callback([code, &action] {
    action = [code](const Common& common) {
      if (*code != 0) {
        Print(Describe(*code), *code, common);
      } else {
        for (const TwilioError& error : AllTwilioErrors()) Print(error, error.code, common);
      }
      return kDone;
    };
  });
}

}  // namespace tocsin::cli
