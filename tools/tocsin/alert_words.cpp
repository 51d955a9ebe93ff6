#include "tools/tocsin/alert_words.h"

#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <string_view>
#include <system_error>

namespace tocsin::cli {
namespace {

using google::protobuf::util::TimeUtil;

std::string Bare(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

// The whole text is a number, and none below 0.
template <typename Number>
bool ReadNumber(std::string_view text, Number& into) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), into);
  return fault == std::errc() && end == text.data() + text.size() && into >= 0;
}

nlohmann::json ToJson(const v1::Try& attempt) {
  nlohmann::json json{{"step", attempt.step()},
                      {"try", attempt.try_()},
                      {"status", NameOf(attempt.status())},
                      {"reason", attempt.reason()},
                      {"provider_code", attempt.provider_code()},
                      {"provider_sid", attempt.provider_sid()},
                      {"explanation", attempt.explanation()},
                      {"segments", attempt.segments()},
                      {"sender", attempt.sender()},
                      {"doubted", attempt.doubted()},
                      {"start_time", TimeJson(attempt.has_start_time(), attempt.start_time())},
                      {"update_time", TimeJson(attempt.has_update_time(), attempt.update_time())},
                      {"price_micros", nullptr},
                      {"currency", attempt.price().currency()}};
  if (attempt.has_price()) json["price_micros"] = attempt.price().micros();
  return json;
}

}  // namespace

const std::map<std::string, v1::AlertClass> kClasses{{"emergency", v1::ALERT_CLASS_EMERGENCY},
                                                     {"high", v1::ALERT_CLASS_HIGH},
                                                     {"normal", v1::ALERT_CLASS_NORMAL},
                                                     {"bulk", v1::ALERT_CLASS_BULK}};
const std::map<std::string, v1::Channel> kChannels{{"sms", v1::CHANNEL_SMS},
                                                   {"voice", v1::CHANNEL_VOICE}};
const std::map<std::string, v1::AlertState> kStates{
    {"pending", v1::ALERT_STATE_PENDING},
    {"sending", v1::ALERT_STATE_SENDING},
    {"sent", v1::ALERT_STATE_SENT},
    {"delivered", v1::ALERT_STATE_DELIVERED},
    {"acknowledged", v1::ALERT_STATE_ACKNOWLEDGED},
    {"failed", v1::ALERT_STATE_FAILED},
    {"sent_unconfirmed", v1::ALERT_STATE_SENT_UNCONFIRMED},
    {"expired", v1::ALERT_STATE_EXPIRED},
    {"cancelled", v1::ALERT_STATE_CANCELLED},
    {"suppressed", v1::ALERT_STATE_SUPPRESSED},
    {"rejected", v1::ALERT_STATE_REJECTED}};

std::string NameOf(v1::TryStatus status) { return Bare(v1::TryStatus_Name(status), "TRY_STATUS_"); }
std::string NameOf(v1::AlertState state) {
  return Bare(v1::AlertState_Name(state), "ALERT_STATE_");
}
std::string NameOf(v1::AlertClass alert_class) {
  return Bare(v1::AlertClass_Name(alert_class), "ALERT_CLASS_");
}
std::string NameOf(v1::Channel channel) { return Bare(v1::Channel_Name(channel), "CHANNEL_"); }

bool IsEnd(v1::AlertState state) { return state >= v1::ALERT_STATE_DELIVERED; }

Status ReadTime(const std::string& text, const char* option, google::protobuf::Timestamp& into) {
  if (TimeUtil::FromString(text, &into)) return {};
  return Fail(ErrorCode::kInvalidConfig, "is not a time such as 2026-01-31T12:00:00Z", option);
}

Status ReadLabels(const std::vector<std::string>& texts,
                  google::protobuf::Map<std::string, std::string>& into) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return Fail(ErrorCode::kInvalidConfig, "is not NAME=VALUE", "--label");
    into[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return {};
}

Status ReadPosition(const std::string& text, v1::Position& into) {
  const size_t offset = text.rfind('/');
  const size_t partition =
      offset == std::string::npos || offset == 0 ? std::string::npos : text.rfind('/', offset - 1);
  std::int32_t partition_number = 0;
  std::int64_t offset_number = 0;
  const std::string_view all = text;
  if (partition == std::string::npos || partition == 0 ||
      !ReadNumber(all.substr(partition + 1, offset - partition - 1), partition_number) ||
      !ReadNumber(all.substr(offset + 1), offset_number))
    return Fail(ErrorCode::kInvalidConfig, "is not TOPIC/PARTITION/OFFSET", "--min-position");
  into.set_topic(text.substr(0, partition));
  into.set_partition(partition_number);
  into.set_offset(offset_number);
  return {};
}

std::string TimeText(const google::protobuf::Timestamp& time) { return TimeUtil::ToString(time); }

nlohmann::json TimeJson(bool known, const google::protobuf::Timestamp& time) {
  return known ? nlohmann::json(TimeText(time)) : nlohmann::json();
}

nlohmann::json ToJson(const v1::Alert& alert, bool whole) {
  nlohmann::json json{{"alert_id", alert.alert_id()},
                      {"client_id", alert.client_id()},
                      {"state", NameOf(alert.state())},
                      {"reason", alert.reason()},
                      {"class", NameOf(alert.class_())},
                      {"channel", NameOf(alert.channel())},
                      {"recipient", alert.recipient()},
                      {"country", alert.country()},
                      {"labels", nlohmann::json::object()},
                      {"accept_time", TimeJson(alert.has_accept_time(), alert.accept_time())},
                      {"send_time", TimeJson(alert.has_send_time(), alert.send_time())},
                      {"expire_time", TimeJson(alert.has_expire_time(), alert.expire_time())},
                      {"update_time", TimeJson(alert.has_update_time(), alert.update_time())},
                      {"end_time", TimeJson(alert.has_end_time(), alert.end_time())},
                      {"revision", alert.revision()}};
  for (const auto& [name, value] : alert.labels()) json["labels"][name] = value;
  if (!whole) return json;
  json["tries"] = nlohmann::json::array();
  for (const v1::Try& attempt : alert.tries()) json["tries"].push_back(ToJson(attempt));
  json["timeline"] = nlohmann::json::array();
  for (const v1::TimelineEntry& entry : alert.timeline())
    json["timeline"].push_back({{"time", TimeText(entry.time())},
                                {"what", entry.what()},
                                {"step", entry.step()},
                                {"try", entry.try_()},
                                {"status", NameOf(entry.status())}});
  return json;
}

std::string HeadLine(const v1::Alert& alert) {
  return alert.alert_id() + "  " + NameOf(alert.state()) +
         (alert.reason().empty() ? "" : " (" + alert.reason() + ")") + "  to " + alert.recipient() +
         ' ' + alert.country();
}

std::string Line(const v1::TimelineEntry& entry) {
  return TimeText(entry.time()) + "  " + entry.what();
}

}  // namespace tocsin::cli
