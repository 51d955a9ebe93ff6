// Alerts in options and output: names, times, JSON, lines of text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/status_service.pb.h"
#include "tools/tocsin/choices.h"

namespace tocsin::cli {

extern const Choices<v1::Priority> kPriorities;  // "emergency", …
extern const Choices<v1::Channel> kChannels;     // "sms", "voice"
extern const Choices<v1::AlertState> kStates;    // "pending", …

// Names of the API without their prefix: "DELIVERED", "SMS".
std::string NameOf(v1::AttemptStatus status);
std::string NameOf(v1::AlertState state);
std::string NameOf(v1::Priority priority);
std::string NameOf(v1::Channel channel);
std::string NameOf(v1::AnsweredBy answered_by);
std::string NameOf(v1::AcknowledgementMethod method);
std::string NameOf(v1::Reach reach);

bool IsFinal(v1::AlertState state);

// Reads a time in RFC 3339. Fails with kInvalidArgument naming `option`.
Status ReadTime(const std::string& text, const char* option, google::protobuf::Timestamp& into);
// Reads NAME=VALUE labels.
Status ReadLabels(const std::vector<std::string>& texts,
                  google::protobuf::Map<std::string, std::string>& into);
// Reads the base64 text of a consistency token as `send` prints it.
Result<std::string> ReadConsistencyToken(const std::string& text);

std::string TimeText(const google::protobuf::Timestamp& time);                 // RFC 3339, UTC
nlohmann::json TimeJson(bool known, const google::protobuf::Timestamp& time);  // null if unknown

// All fields as documented in docs/cli.md. `complete`: with attempts and timeline.
nlohmann::json ToJson(const v1::Alert& alert, bool complete);

// "id  STATE (REASON)  to *******0123 CA".
std::string SummaryOf(const v1::Alert& alert);
// The plan: its goal, each step with its targets, then the acknowledgements. Empty without a plan.
// In later revisions of the alert each line has the same index.
std::vector<std::string> PlanLinesOf(const v1::Alert& alert);
// "time  description".
std::string LineOf(const v1::TimelineEntry& entry);

// The first `max` characters (code points) of a UTF-8 text.
std::string Truncated(std::string_view text, size_t max);

}  // namespace tocsin::cli
