// All that the simulator knows, under one lock: each use is short, and nobody blocks while holding
// it.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/faults.h"
#include "tools/twilio-sim/journal.h"
#include "tools/twilio-sim/messages.h"
#include "tools/twilio-sim/outcomes.h"
#include "tools/twilio-sim/sender_queues.h"
#include "tools/twilio-sim/voice/calls.h"
#include "tools/twilio-sim/voice/phones.h"

namespace tocsin::sim {

struct Settings {
  std::vector<Account> accounts = {};                      // one at least
  std::vector<std::string> numbers = {};                   // owned by every account
  std::vector<std::pair<size_t, std::string>> owned = {};  // by one account
  std::vector<MessagingService> services = {};
  std::uint64_t seed = 0;
  Pace pace = {};
  size_t keep = kDefaultKeptMessages;     // messages, and attempts at them as many
  size_t keep_calls = kDefaultKeptCalls;  // the same of calls
  bool callbacks_anywhere = false;        // else to loopback only
  bool twilios_limits = false;            // senders and accounts are as fast as at Twilio
  std::string sms_url = {};               // of every sender: where inbound messages go
};

struct State {
  explicit State(const Settings& settings)
      : directory(settings.accounts),
        queues(settings.twilios_limits),
        faults(settings.seed),
        messages(settings.seed, settings.pace, settings.keep),
        journal(settings.keep),
        calls(settings.seed, settings.keep_calls),
        call_journal(settings.keep_calls) {
    if (!settings.sms_url.empty()) directory.SetSmsUrl("", settings.sms_url);
    for (const std::string& number : settings.numbers) directory.Own(number);
    for (const auto& [account, number] : settings.owned) directory.OwnBy(number, account);
    for (const MessagingService& service : settings.services) directory.AddService(service);
  }

  std::mutex mutex;                     // guards all below
  std::condition_variable steps_ahead;  // a step nearer than all others has been planned
  Directory directory;
  SenderQueues queues;
  Outcomes outcomes;
  Faults faults;
  Messages messages;
  Journal journal;
  Phones phones;
  Calls calls;
  Journal call_journal;

  // When something happens by itself next.
  std::optional<WallTime> NextDue() const {
    const auto message = messages.NextDue();
    const auto call = calls.NextDue();
    return message && call ? std::min(*message, *call) : message ? message : call;
  }
};

}  // namespace tocsin::sim
