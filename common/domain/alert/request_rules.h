// Validation of requests that needs no registry. Used by the ingress, and by the CLI before it
// sends anything. Pure. Each error names the field, the reason and the fix; it never repeats `to`
// or `text`.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin {

constexpr size_t kMaxTextCharacters = 1600;  // Twilio's Body
constexpr size_t kMaxKeyCharacters = 64;
constexpr int kMaxLabels = 16;
constexpr size_t kMaxLabelBytes = 64;
constexpr size_t kMaxActorIdCharacters = 64;
constexpr size_t kMaxPersonCharacters = 64;
constexpr int kMaxPlanSteps = 16;
constexpr int kMaxPlanTargets = 32;                  // of all steps
constexpr std::chrono::hours kMaxTimeAhead{7 * 24};  // of send_time and expire_time

// When an alert may be sent.
struct SendWindow {
  WallTime send_time;    // not before; `now` by default
  WallTime expire_time;  // not after; by default determined by the priority
};

// A UUID in lower case. The error names `field` and never repeats the value, which may be anything.
Status CheckAlertId(std::string_view alert_id, std::string_view field = "alert_id");

Status CheckKey(const std::string& key);
Status CheckText(const std::string& text);
Status CheckLabels(const v1::EnqueueRequest& request);
Status CheckActorId(std::string_view actor_id);
// A person of a plan. The error names `field`.
Status CheckPerson(std::string_view person, std::string field);

// An unspecified priority has the default lifetime of PRIORITY_NORMAL.
Result<SendWindow> SendWindowOf(const v1::EnqueueRequest& request, WallTime now);

}  // namespace tocsin
