#include "tools/tocsin/alert_format.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "common/base/encoding.h"

namespace tocsin::cli {
namespace {

using google::protobuf::util::TimeUtil;

std::string WithoutPrefix(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

nlohmann::json ToJson(const v1::Attempt& attempt) {
  nlohmann::json json{{"step", attempt.step()},
                      {"attempt", attempt.attempt()},
                      {"status", NameOf(attempt.status())},
                      {"reason", attempt.reason()},
                      {"provider_code", attempt.provider_code()},
                      {"provider_sid", attempt.provider_sid()},
                      {"explanation", attempt.explanation()},
                      {"segment_count", attempt.segment_count()},
                      {"sender_id", attempt.sender_id()},
                      {"was_in_doubt", attempt.was_in_doubt()},
                      {"start_time", TimeJson(attempt.has_start_time(), attempt.start_time())},
                      {"update_time", TimeJson(attempt.has_update_time(), attempt.update_time())},
                      {"price", nullptr},
                      {"duration", nullptr},
                      {"answered_by", nullptr},
                      {"pressed_keys", nlohmann::json::array()}};
  if (attempt.has_duration()) json["duration"] = TimeUtil::ToString(attempt.duration());
  if (attempt.answered_by() != v1::ANSWERED_BY_UNSPECIFIED)
    json["answered_by"] = NameOf(attempt.answered_by());
  for (const std::string& key : attempt.pressed_keys()) json["pressed_keys"].push_back(key);
  if (attempt.has_price())
    json["price"] = {{"currency_code", attempt.price().currency_code()},
                     {"units", attempt.price().units()},
                     {"nanos", attempt.price().nanos()}};
  return json;
}

nlohmann::json ToJson(const v1::Acknowledgement& acknowledgement) {
  return {{"event_time", TimeText(acknowledgement.event_time())},
          {"method", NameOf(acknowledgement.method())},
          {"actor_id", acknowledgement.actor_id()},
          {"evidence", acknowledgement.evidence()},
          {"person", acknowledgement.person()}};
}

nlohmann::json ToJson(const v1::TimelineEntry& entry) {
  return {{"event_time", TimeText(entry.event_time())},
          {"description", entry.description()},
          {"step", entry.step()},
          {"attempt", entry.attempt()},
          {"status", NameOf(entry.status())}};
}

nlohmann::json ReachJson(v1::Reach reach) {
  return reach == v1::REACH_UNSPECIFIED ? nlohmann::json() : nlohmann::json(NameOf(reach));
}

nlohmann::json ToJson(const v1::AlertTarget& target) {
  nlohmann::json json{{"number", target.number()},
                      {"person", target.person()},
                      {"channel", NameOf(target.channel())},
                      {"masked_recipient", target.masked_recipient()},
                      {"status", nullptr},
                      {"reach", ReachJson(target.reach())}};
  if (target.status() != v1::ATTEMPT_STATUS_UNSPECIFIED) json["status"] = NameOf(target.status());
  return json;
}

nlohmann::json ToJson(const v1::AlertStep& step) {
  nlohmann::json json{{"wait_duration", nullptr},
                      {"start_time", TimeJson(step.has_start_time(), step.start_time())},
                      {"targets", nlohmann::json::array()}};
  if (step.has_wait_duration()) json["wait_duration"] = TimeUtil::ToString(step.wait_duration());
  for (const v1::AlertTarget& target : step.targets()) json["targets"].push_back(ToJson(target));
  return json;
}

nlohmann::json ToJson(const v1::AlertPlan& plan) {
  nlohmann::json json{
      {"goal", NameOf(plan.goal())},
      {"person_count", plan.person_count()},
      {"deadline", TimeJson(plan.has_deadline(), plan.deadline())},
      {"next_step_time", TimeJson(plan.has_next_step_time(), plan.next_step_time())},
      {"steps", nlohmann::json::array()}};
  for (const v1::AlertStep& step : plan.steps()) json["steps"].push_back(ToJson(step));
  return json;
}

// 120 s -> "2m", 90 s -> "90s"
std::string DurationText(const google::protobuf::Duration& duration) {
  constexpr std::pair<std::int64_t, const char*> kUnits[] = {
      {86'400, "d"}, {3'600, "h"}, {60, "m"}};
  const std::int64_t seconds = duration.seconds();
  if (duration.nanos() == 0 && seconds > 0)
    for (const auto& [length, unit] : kUnits)
      if (seconds % length == 0) return std::to_string(seconds / length) + unit;
  return TimeUtil::ToString(duration);
}

std::string LineOf(const v1::AlertTarget& target) {
  return "    target " + std::to_string(target.number()) + "  " + target.person() + "  " +
         NameOf(target.channel()) + " to " + target.masked_recipient() + "  " +
         (target.status() == v1::ATTEMPT_STATUS_UNSPECIFIED ? "no attempt"
                                                            : NameOf(target.status())) +
         (target.reach() == v1::REACH_UNSPECIFIED ? "" : "  reach " + NameOf(target.reach()));
}

std::string GoalLineOf(const v1::AlertPlan& plan) {
  std::string line = "  goal " + NameOf(plan.goal());
  if (const int count = plan.person_count(); count > 0)
    line += " by " + std::to_string(count) + (count == 1 ? " person" : " persons");
  return line + (plan.has_deadline() ? "  deadline " + TimeText(plan.deadline()) : "");
}

}  // namespace

const Choices<v1::Priority> kPriorities{{"emergency", v1::PRIORITY_EMERGENCY},
                                        {"high", v1::PRIORITY_HIGH},
                                        {"normal", v1::PRIORITY_NORMAL},
                                        {"bulk", v1::PRIORITY_BULK}};
const Choices<v1::Channel> kChannels{{"sms", v1::CHANNEL_SMS}, {"voice", v1::CHANNEL_VOICE}};
const Choices<v1::AlertState> kStates{{"pending", v1::ALERT_STATE_PENDING},
                                      {"sending", v1::ALERT_STATE_SENDING},
                                      {"sent", v1::ALERT_STATE_SENT},
                                      {"delivered", v1::ALERT_STATE_DELIVERED},
                                      {"acknowledged", v1::ALERT_STATE_ACKNOWLEDGED},
                                      {"failed", v1::ALERT_STATE_FAILED},
                                      {"sent_unconfirmed", v1::ALERT_STATE_SENT_UNCONFIRMED},
                                      {"expired", v1::ALERT_STATE_EXPIRED},
                                      {"cancelled", v1::ALERT_STATE_CANCELLED},
                                      {"suppressed", v1::ALERT_STATE_SUPPRESSED},
                                      {"rejected", v1::ALERT_STATE_REJECTED},
                                      {"not_acknowledged", v1::ALERT_STATE_NOT_ACKNOWLEDGED}};

std::string NameOf(v1::AttemptStatus status) {
  return WithoutPrefix(v1::AttemptStatus_Name(status), "ATTEMPT_STATUS_");
}
std::string NameOf(v1::AlertState state) {
  return WithoutPrefix(v1::AlertState_Name(state), "ALERT_STATE_");
}
std::string NameOf(v1::Priority priority) {
  return WithoutPrefix(v1::Priority_Name(priority), "PRIORITY_");
}
std::string NameOf(v1::Channel channel) {
  return WithoutPrefix(v1::Channel_Name(channel), "CHANNEL_");
}

std::string NameOf(v1::AnsweredBy answered_by) {
  return WithoutPrefix(v1::AnsweredBy_Name(answered_by), "ANSWERED_BY_");
}
std::string NameOf(v1::AcknowledgementMethod method) {
  return WithoutPrefix(v1::AcknowledgementMethod_Name(method), "ACKNOWLEDGEMENT_METHOD_");
}
std::string NameOf(v1::Reach reach) { return WithoutPrefix(v1::Reach_Name(reach), "REACH_"); }

bool IsFinal(v1::AlertState state) { return state >= v1::ALERT_STATE_DELIVERED; }

Status ReadTime(const std::string& text, const char* option, google::protobuf::Timestamp& into) {
  if (TimeUtil::FromString(text, &into)) return {};
  return Fail(ErrorCode::kInvalidArgument, "is not a time such as 2026-01-31T12:00:00Z", option);
}

Status ReadLabels(const std::vector<std::string>& texts,
                  google::protobuf::Map<std::string, std::string>& into) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return Fail(ErrorCode::kInvalidArgument, "is not NAME=VALUE", "--label");
    into[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return {};
}

Result<std::string> ReadConsistencyToken(const std::string& text) {
  if (auto token = Base64Decode(text); token && !text.empty()) return token;
  return Fail(ErrorCode::kInvalidArgument, "is not a token that `send` printed",
              "--consistency-token");
}

std::string TimeText(const google::protobuf::Timestamp& time) { return TimeUtil::ToString(time); }

nlohmann::json TimeJson(bool known, const google::protobuf::Timestamp& time) {
  return known ? nlohmann::json(TimeText(time)) : nlohmann::json();
}

nlohmann::json ToJson(const v1::Alert& alert, bool complete) {
  nlohmann::json json{{"alert_id", alert.alert_id()},
                      {"client_id", alert.client_id()},
                      {"state", NameOf(alert.state())},
                      {"reason", alert.reason()},
                      {"priority", NameOf(alert.priority())},
                      {"channel", NameOf(alert.channel())},
                      {"masked_recipient", alert.masked_recipient()},
                      {"region_code", alert.region_code()},
                      {"labels", nlohmann::json::object()},
                      {"create_time", TimeJson(alert.has_create_time(), alert.create_time())},
                      {"send_time", TimeJson(alert.has_send_time(), alert.send_time())},
                      {"expire_time", TimeJson(alert.has_expire_time(), alert.expire_time())},
                      {"update_time", TimeJson(alert.has_update_time(), alert.update_time())},
                      {"end_time", TimeJson(alert.has_end_time(), alert.end_time())},
                      {"revision", alert.revision()}};
  for (const auto& [name, value] : alert.labels()) json["labels"][name] = value;
  if (!complete) return json;
  json["reach"] = ReachJson(alert.reach());
  json["plan"] = alert.has_plan() ? ToJson(alert.plan()) : nlohmann::json();
  json["acknowledgements"] = nlohmann::json::array();
  for (const v1::Acknowledgement& acknowledgement : alert.acknowledgements())
    json["acknowledgements"].push_back(ToJson(acknowledgement));
  json["attempts"] = nlohmann::json::array();
  for (const v1::Attempt& attempt : alert.attempts()) json["attempts"].push_back(ToJson(attempt));
  json["timeline"] = nlohmann::json::array();
  for (const v1::TimelineEntry& entry : alert.timeline()) json["timeline"].push_back(ToJson(entry));
  return json;
}

std::string SummaryOf(const v1::Alert& alert) {
  return alert.alert_id() + "  " + NameOf(alert.state()) +
         (alert.reason().empty() ? "" : " (" + alert.reason() + ")") + "  to " +
         alert.masked_recipient() + ' ' + alert.region_code() +
         (alert.reach() == v1::REACH_UNSPECIFIED ? "" : "  reach " + NameOf(alert.reach()));
}

std::vector<std::string> PlanLinesOf(const v1::Alert& alert) {
  if (!alert.has_plan()) return {};
  const v1::AlertPlan& plan = alert.plan();
  std::vector<std::string> lines{GoalLineOf(plan)};
  bool is_next = plan.has_next_step_time();  // the first step that has not started
  for (int i = 0; i < plan.steps_size(); ++i) {
    const v1::AlertStep& step = plan.steps(i);
    std::string line = "  step " + std::to_string(i + 1);
    if (step.has_wait_duration())
      line += "  " + DurationText(step.wait_duration()) + " after step " + std::to_string(i);
    if (step.has_start_time()) {
      line += "  started " + TimeText(step.start_time());
    } else if (std::exchange(is_next, false)) {
      line += "  starts by " + TimeText(plan.next_step_time());
    } else {
      line += "  not started";
    }
    lines.push_back(std::move(line));
    for (const v1::AlertTarget& target : step.targets()) lines.push_back(LineOf(target));
  }
  for (const v1::Acknowledgement& acknowledgement : alert.acknowledgements())
    lines.push_back(
        "  acknowledged by " +
        (acknowledgement.person().empty() ? acknowledgement.actor_id() : acknowledgement.person()) +
        " (" + NameOf(acknowledgement.method()) + ")  " + TimeText(acknowledgement.event_time()));
  return lines;
}

std::string LineOf(const v1::TimelineEntry& entry) {
  return TimeText(entry.event_time()) + "  " + entry.description();
}

std::string Truncated(std::string_view text, size_t max) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;  // of a code point
    if (begins && characters++ == max) return std::string(text.substr(0, i));
  }
  return std::string(text);
}

}  // namespace tocsin::cli
