// Alerts in words: the names of options and of output, the same in every command.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/status_service.pb.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {

extern const std::map<std::string, v1::AlertClass> kClasses;  // "emergency", …
extern const std::map<std::string, v1::Channel> kChannels;    // "sms", "voice"
extern const std::map<std::string, v1::AlertState> kStates;   // "pending", …

// Names as in the API without their prefix: "DELIVERED", "SMS".
std::string NameOf(v1::TryStatus status);
std::string NameOf(v1::AlertState state);
std::string NameOf(v1::AlertClass alert_class);
std::string NameOf(v1::Channel channel);

bool IsEnd(v1::AlertState state);

// RFC 3339. kInvalidConfig, naming `option`.
Status ReadTime(const std::string& text, const char* option, google::protobuf::Timestamp& into);
// NAME=VALUE each.
Status ReadLabels(const std::vector<std::string>& texts,
                  google::protobuf::Map<std::string, std::string>& into);
// TOPIC/PARTITION/OFFSET.
Status ReadPosition(const std::string& text, v1::Position& into);

std::string TimeText(const google::protobuf::Timestamp& time);                 // RFC 3339, UTC
nlohmann::json TimeJson(bool known, const google::protobuf::Timestamp& time);  // null when not

// Every field of docs/cli.md, with or without tries and timeline.
nlohmann::json ToJson(const v1::Alert& alert, bool whole);

// "id  STATE (REASON)  to *******0123 CA".
std::string HeadLine(const v1::Alert& alert);
// "time  what".
std::string Line(const v1::TimelineEntry& entry);

}  // namespace tocsin::cli
