// The `tocsin` command line. Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 unreachable.
#include <CLI/CLI.hpp>
#include <iostream>

#include "tools/tocsin/command.h"

int main(int argc, char** argv) {
  using namespace tocsin::cli;
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
