// The `tocsin` command line. Exit codes: 0 done, 1 refused or failed, 2 usage error, 3 unreachable
// or unavailable.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <typeinfo>

#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

int Run(int argc, char** argv) {
  CLI::App app("Sends alerts by SMS and voice, reports their status, and tests Twilio webhooks.");
  app.set_help_flag("-h,--help", "print this help and exit");
  app.set_version_flag("--version", TOCSIN_VERSION, "print the version and exit");
  app.require_subcommand(0, 1);
  app.fallthrough();
  Common common;
  AddChoice(app, "--output", common.json, {{"json", true}, {"table", false}},
            "output format; default table");
  bool check = false;
  app.add_flag("--check-config", check,
               "validate the files and addresses of the environment and exit");
  Action action;
  AddSend(app, action);
  AddBulk(app, action);
  AddGet(app, action);
  AddList(app, action);
  AddWatch(app, action);
  AddCancel(app, action);
  AddDlq(app, action);
  AddWebhook(app, action);
  AddKeyring(app, action);
  AddErrorCodes(app, action);
  AddPlan(app, action);
  AddCompletion(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUse;
  }
  if (check) return CheckConfig();
  if (!action) {
    std::cerr << app.help();
    return kWrongUse;
  }
  return action(common);
}

}  // namespace
}  // namespace tocsin::cli

int main(int argc, char** argv) {
  try {
    return tocsin::cli::Run(argc, argv);
  } catch (const std::exception& error) {
    // Only the type: what() may contain a phone number or a text.
    std::cerr << "tocsin: internal error: " << typeid(error).name() << " (INTERNAL)\n";
    return tocsin::cli::kRefused;
  }
}
