// Parses and validates requests to create a message. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "common/base/time.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/messages/message_status.h"
#include "tools/twilio-sim/messages/sender_queues.h"

namespace tocsin::sim {

constexpr unsigned kMaxBodyCharacters = 1600;
constexpr size_t kMaxMedia = 10;
constexpr std::chrono::seconds kMaxValidity{36000};  // also the default
constexpr std::chrono::seconds kMinScheduleDelay{300};
constexpr std::chrono::days kMaxScheduleDelay{35};

// The supported parameters; the last value if one is repeated. Other parameters are ignored, as by
// Twilio.
struct CreateMessageRequest {
  std::string to;
  std::string from;
  std::string service_sid;
  std::string body;  // valid UTF-8
  std::string status_callback;
  std::string validity_period;
  std::string send_time;
  std::string schedule_type;
  std::string content_sid;
  bool smart_encoded = false;
  std::vector<std::string> media;

  unsigned segments = 0;    // of the body as it is sent
  unsigned characters = 0;  // of the body as received
};

CreateMessageRequest ParseCreateMessage(const FormFields& fields);

// A valid request. The account may use its numbers.
struct MessageDraft {
  size_t account = 0;
  std::optional<size_t> service = {};
  std::string to = {};
  std::string from = {};  // empty: selected by the service
  std::string body = {};
  std::string status_callback = {};
  unsigned segments = 0;
  unsigned media = 0;
  std::chrono::seconds validity = kMaxValidity;
  std::optional<WallTime> send_time = {};
  std::uint64_t request_number = 0;     // of the create attempt
  std::optional<Outcome> outcome = {};  // set if the recipient opted out
};

// Returns kNoError and sets `draft`, or returns the error code. Checks in this order: To, sender,
// content, callback, times, opt-out, queue.
int CheckCreateMessage(const CreateMessageRequest& request, size_t account,
                       const Directory& directory, const SenderQueues& queues, WallTime now,
                       MessageDraft& draft);

}  // namespace tocsin::sim
