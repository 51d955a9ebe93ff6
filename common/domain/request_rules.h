// What an EnqueueRequest keeps by itself, whatever the registry says: ingress refuses by these
// rules, and a caller can ask them before anything is sent. Pure. Each error names the field as it
// stands in EnqueueRequest, the reason and the way out; it never repeats `to` or `text`.
#pragma once

#include <chrono>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

constexpr size_t kMaxTextCharacters = 1600;  // Twilio's Body
constexpr size_t kMaxKeyCharacters = 64;
constexpr int kMaxLabels = 16;
constexpr size_t kMaxLabelBytes = 64;
constexpr size_t kMaxLanguageCharacters = 16;   // "sr-Latn-RS" is a long one
constexpr size_t kMaxVoiceCharacters = 64;      // "Google.en-US-Chirp3-HD-Aoede"
constexpr std::chrono::hours kHorizon{7 * 24};  // of send_at and expires_at

// When an alert may be sent.
struct SendWindow {
  WallTime send_at;    // not before; `now` when no time was asked for
  WallTime not_after;  // horizon; by the class when none was asked for
};

Status CheckKey(const std::string& key);
Status CheckText(const std::string& text);
Status CheckLabels(const v1::EnqueueRequest& request);

// A class that is unspecified lives as long as a normal one.
Result<SendWindow> SendWindowOf(const v1::EnqueueRequest& request, WallTime now);

// `channel` is the one the alert goes by.
Result<v1::SpokenForm> SpokenFormOf(const v1::EnqueueRequest& request, v1::Channel channel);

}  // namespace tocsin
