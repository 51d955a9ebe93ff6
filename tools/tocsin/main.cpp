// The `tocsin` command line. Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 unreachable.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <typeinfo>

#include "tools/tocsin/command.h"

namespace tocsin::cli {
namespace {

int Run(int argc, char** argv) {
  CLI::App app(
      "Carries alerts to people: send them, learn what became of them, test the webhooks.");
  app.set_version_flag("--version", TOCSIN_VERSION);
  app.require_subcommand(0, 1);
  app.fallthrough();
  std::string output = "table";
  app.add_option("--output", output, "json or table")->check(CLI::IsMember({"json", "table"}));
  bool check = false;
  app.add_flag("--check-config", check,
               "check what the environment says of keys and addresses, and leave");
  Action action;
  AddSend(app, action);
  AddStatus(app, action);
  AddMarks(app, action);
  AddBulk(app, action);
  AddList(app, action);
  AddWatch(app, action);
  AddDlq(app, action);
  AddReport(app, action);
  AddWebhook(app, action);
  AddKeyring(app, action);
  AddErrors(app, action);
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
  return action(Common{.json = output == "json"});
}

}  // namespace
}  // namespace tocsin::cli

int main(int argc, char** argv) {
  try {
    return tocsin::cli::Run(argc, argv);
  } catch (const std::exception& error) {
    // Its type only: what it says may repeat what was read, a number or a text.
    std::cerr << "tocsin: failed in a way nobody foresaw: " << typeid(error).name()
              << " (INTERNAL)\n";
    return tocsin::cli::kRefused;
  }
}
