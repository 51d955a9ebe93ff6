// What differs between the workers of the channels.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/async/event_loop.h"
#include "common/async/task.h"
#include "common/ports/clock.h"
#include "common/ports/provider.h"
#include "common/ports/provider_list.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "common/twilio/rest/rest_client.h"
#include "services/worker/config.h"

namespace tocsin::worker {

// The dependencies of a channel adapter. All outlive it.
struct AdapterParts {
  EventLoop& loop;
  const Config& config;
  const Topics& topics;
  twilio::RestSettings rest;  // with metrics of its POSTs
  Vault& vault;
  const Clock& clock;
};

// A channel's side of Twilio.
struct ChannelAdapter {
  std::unique_ptr<Provider> provider;
  std::unique_ptr<ProviderList> list;
  std::function<Status()> check_connectivity;   // blocks for a few seconds at most
  std::function<Task<void>()> open_connection;  // for the first request; on the loop's thread
};

struct WorkerSpec {
  v1::Channel channel;
  std::string name;         // "sms": in the names of consumer groups and labels
  std::string program;      // "tocsin-sms-worker"
  std::string purpose;      // one line for --help
  std::string ops_setting;  // "TOCSIN_OPS_SMS_WORKER_ADDRESS"
  std::function<ChannelAdapter(const AdapterParts& parts)> make_adapter;
};

}  // namespace tocsin::worker
