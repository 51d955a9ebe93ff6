// The state of the simulator, under one lock. Holders of the lock never block.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "tools/twilio-sim/attempt_log.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/faults.h"
#include "tools/twilio-sim/messages/messages.h"
#include "tools/twilio-sim/messages/outcomes.h"
#include "tools/twilio-sim/messages/sender_queues.h"
#include "tools/twilio-sim/voice/calls.h"
#include "tools/twilio-sim/voice/phones.h"

namespace tocsin::sim {

struct Settings {
  std::vector<Account> accounts = {};                      // at least one
  std::vector<std::string> numbers = {};                   // of every account
  std::vector<std::pair<size_t, std::string>> owned = {};  // of one account
  std::vector<MessagingService> services = {};
  std::uint64_t seed = 0;
  Timing timing = {};
  size_t keep = kDefaultKeptMessages;     // messages, and as many create attempts
  size_t keep_calls = kDefaultKeptCalls;  // the same for calls
  bool callbacks_anywhere = false;        // false: only to loopback
  bool twilio_limits = false;             // apply Twilio's rate limits
  std::string sms_url = {};               // of every sender: the webhook for inbound messages
};

struct State {
  explicit State(const Settings& settings)
      : directory(settings.accounts),
        queues(settings.twilio_limits),
        faults(settings.seed),
        messages(settings.seed, settings.timing, settings.keep),
        attempt_log(settings.keep),
        calls(settings.seed, settings.keep_calls),
        call_attempt_log(settings.keep_calls),
        default_call_second(settings.timing.call_second) {
    if (!settings.sms_url.empty()) directory.SetSmsUrl("", settings.sms_url);
    for (const std::string& number : settings.numbers) directory.AddSenderToAll(number);
    for (const auto& [account, number] : settings.owned) directory.AddSender(number, account);
    for (const MessagingService& service : settings.services) directory.AddService(service);
  }

  std::mutex mutex;                      // guards everything below
  std::condition_variable earlier_step;  // a step earlier than all others was scheduled
  Directory directory;
  SenderQueues queues;
  Outcomes outcomes;
  Faults faults;
  Messages messages;
  AttemptLog attempt_log;
  Phones phones;
  Calls calls;
  AttemptLog call_attempt_log;
  const std::chrono::milliseconds default_call_second;

  // When the next step is due.
  std::optional<WallTime> NextDue() const {
    const auto message = messages.NextDue();
    const auto call = calls.NextDue();
    return message && call ? std::min(*message, *call) : message ? message : call;
  }
};

}  // namespace tocsin::sim
