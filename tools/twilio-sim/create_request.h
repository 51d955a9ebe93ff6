// A request to create a message: what it says, and whether Twilio takes it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "common/base/time.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/sender_queues.h"
#include "tools/twilio-sim/status.h"

namespace tocsin::sim {

constexpr unsigned kMaxBodyCharacters = 1600;
constexpr size_t kMaxMedia = 10;
constexpr std::chrono::seconds kLongestValidity{36000};  // and the default
constexpr std::chrono::seconds kSoonestSchedule{300};
constexpr std::chrono::days kLatestSchedule{35};

// The parameters that mean something here; the last value of a repeated one. Others are ignored, as
// Twilio does.
struct CreateRequest {
  std::string to;
  std::string from;
  std::string service_sid;
  std::string body;  // UTF-8, whatever came
  std::string status_callback;
  std::string validity_period;
  std::string send_at;
  std::string schedule_type;
  std::string content_sid;
  bool smart_encoded = false;
  std::vector<std::string> media;

  unsigned segments = 0;    // of the body as it would be sent
  unsigned characters = 0;  // of the body as it came
};

CreateRequest ReadCreateRequest(const FormFields& fields);

// What a message is made from. Numbers are well formed and may be used by the account.
struct Draft {
  size_t account = 0;
  std::optional<size_t> service = {};
  std::string to = {};
  std::string from = {};  // empty: the service chooses
  std::string body = {};
  std::string status_callback = {};
  unsigned segments = 0;
  unsigned media = 0;
  std::chrono::seconds validity = kLongestValidity;
  std::optional<WallTime> send_at = {};
  std::uint64_t request_number = 0;     // of the create attempt
  std::optional<Outcome> outcome = {};  // decided already: the person opted out
};

// The checks, in the order in which a client sees their codes: To, sender, content, callback,
// times, then what depends on the state: opt-out, queue. Gives kNoError and fills `draft`, or the
// code.
int Judge(const CreateRequest& request, size_t account, const Directory& directory,
          const SenderQueues& queues, WallTime now, Draft& draft);

bool IsE164(std::string_view text);

// ISO 8601: YYYY-MM-DD, or with Thh:mm:ss and a Z. Nothing for other texts.
std::optional<WallTime> ParseIsoTime(std::string_view text);

}  // namespace tocsin::sim
