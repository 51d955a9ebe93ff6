#include <curl/curl.h>
#include <signal.h>

#include <iostream>

#include "common/http/server.h"
#include "tools/twilio-sim/options.h"
#include "tools/twilio-sim/simulator.h"

int main(int argc, char** argv) {
  using namespace tocsin;
  int exit_code = 0;
  const auto options = sim::ParseOptions(argc, argv, exit_code);
  if (!options) return exit_code;
  if (options->check_config) {
    std::cout << "configuration OK\n";
    return 0;
  }

  // Before any thread starts, because threads inherit the mask.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  curl_global_init(CURL_GLOBAL_DEFAULT);

  sim::Simulator simulator(options->settings);
  auto server = http::Server::Start(sim::ServerOptionsFor(options->listen, options->threads),
                                    [&](const http::Request& request, http::Responder responder) {
                                      simulator.Handle(request, std::move(responder));
                                    });
  if (!server) {
    std::cerr << "cannot listen on " << options->listen << ": " << server.error().message << '\n';
    return sim::kExitFailed;
  }
  std::cout << "listening on port " << (*server)->port() << ", seed " << options->settings.seed
            << std::endl;
  int signal_number = 0;
  sigwait(&stop_signals, &signal_number);
  server->reset();
  return 0;
}
