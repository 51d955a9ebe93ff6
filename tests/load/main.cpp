// tocsin-load: measures a running stack. Addresses and secrets come from its `env` file.
#include <iostream>

#include "tests/load/load.h"

int main(int argc, char** argv) {
  CLI::App app("Measures a running stack; prints one line of JSON.", "tocsin-load");
  app.require_subcommand(1);
  tocsin::load::Run run;
  tocsin::load::AddEnqueue(app, run);
  tocsin::load::AddWebhooks(app, run);
  tocsin::load::AddKafka(app, run);
  tocsin::load::AddCreates(app, run);
  CLI11_PARSE(app, argc, argv);
  const auto exit_code = run();
  if (exit_code) return *exit_code;
  std::cerr << "tocsin-load: " << exit_code.error().field << ' ' << exit_code.error().message
            << '\n';
  return 3;
}
