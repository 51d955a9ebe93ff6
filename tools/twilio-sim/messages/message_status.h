// The statuses of a message, and its outcome.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tocsin::sim {

enum class Status : std::uint8_t {
  kAccepted,
  kScheduled,
  kQueued,
  kSending,
  kSent,
  kDelivered,
  kUndelivered,
  kFailed,
  kCanceled,
  kReceived,
};
inline constexpr size_t kStatuses = 10;

inline constexpr std::array<std::string_view, kStatuses> kStatusNames = {
    "accepted",  "scheduled",   "queued", "sending",  "sent",
    "delivered", "undelivered", "failed", "canceled", "received"};

constexpr std::string_view NameOf(Status status) {
  return kStatusNames[static_cast<size_t>(status)];
}
constexpr std::optional<Status> StatusNamed(std::string_view name) {
  for (size_t i = 0; i < kStatuses; ++i) {
    if (kStatusNames[i] == name) return static_cast<Status>(i);
  }
  return std::nullopt;
}

// How a message ends.
struct Outcome {
  Status last = Status::kDelivered;  // delivered, undelivered, failed, or sent (no delivery report)
  int error_code = 0;
  std::optional<std::chrono::milliseconds> queue =
      {};  // instead of the default time before sending
  std::optional<std::chrono::milliseconds> delivery = {};  // instead of the default time after sent
};

}  // namespace tocsin::sim
