// The program around a worker's delivery engine, the same for every channel: stores, consumers,
// senders, its share of the relay, start and drain.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/domain/topics.h"
#include "common/ports/carrier.h"
#include "common/ports/clock.h"
#include "common/ports/taken_list.h"
#include "common/ports/vault.h"
#include "common/twilio/rest.h"
#include "common/worker/config.h"

namespace tocsin::worker {

// What a line is made of. The vault and the clock outlive it.
struct LineParts {
  const Config& config;
  const Topics& topics;
  twilio::RestSettings rest;  // its POSTs are measured
  Vault& vault;
  const Clock& clock;
};

// A channel's way to Twilio.
struct Line {
  std::unique_ptr<Carrier> carrier;
  std::unique_ptr<TakenList> list;  // of what the carrier took
  std::function<Status()> reach;    // whether Twilio's front can be reached; as RestClient::Reach
};

// What tells one worker from another.
struct Role {
  v1::Channel channel;
  std::string name;         // "sms": of consumer groups and metrics
  std::string program;      // "tocsin-sms-worker"
  std::string purpose;      // one line for --help
  std::string ops_setting;  // "TOCSIN_OPS_SMS_WORKER"
  std::function<Line(const LineParts& parts)> line;
};

// Blocks until SIGTERM or SIGINT. The exit status: 0 done, 2 the settings are at fault, 1 failed.
int Main(int argc, char** argv, const Role& role);

}  // namespace tocsin::worker
