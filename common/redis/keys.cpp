#include "common/redis/keys.h"

#include <algorithm>
#include <charconv>

#include "common/base/encoding.h"

namespace tocsin::redis {
namespace {

// 0 if the text does not start with a number.
template <typename Number>
Number ParseNumber(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Removes the text up to the next space from `text` and returns it.
std::string_view NextWord(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

// Other methods may have an actor.
bool HasEvidence(v1::AcknowledgementMethod method) {
  return method == v1::ACKNOWLEDGEMENT_METHOD_LINK ||
         method == v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS ||
         method == v1::ACKNOWLEDGEMENT_METHOD_REPLY;
}

}  // namespace

std::string Keys::Idempotency(std::string_view digest) const {
  return prefix_ + "idempotency:" + HexEncode(digest);
}

std::string Keys::Unreconciled(v1::Channel channel) const {
  return prefix_ + (channel == v1::CHANNEL_VOICE ? "unreconciled:voice" : "unreconciled:sms");
}

std::string Keys::Unpriced(v1::Channel channel) const {
  return prefix_ + (channel == v1::CHANNEL_VOICE ? "unpriced:voice" : "unpriced:sms");
}

std::string Keys::Duplicates(std::string_view duplicate_key) const {
  return prefix_ + "duplicates:" + HexEncode(duplicate_key);
}

std::string Keys::AckCodes(std::string_view token) const {
  return prefix_ + "ack_codes:" + HexEncode(token);
}

std::string ExpiryText(WallTime expire_time) {
  const auto expiry = std::chrono::ceil<std::chrono::milliseconds>(expire_time + kRetention);
  return std::to_string(expiry.time_since_epoch().count());
}

std::string ProofText(Proof proof) { return std::to_string(static_cast<int>(proof)); }

std::string FlagText(bool flag) { return flag ? "1" : "0"; }

std::string EndText(bool ended, bool delivered) {
  if (!ended) return "0";
  return delivered ? "delivered" : "1";
}

std::string ReachText(const records::v1::AttemptResult& result) {
  if (WasAnsweredByPerson(result)) return "human";
  const bool delivered = result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED &&
                         result.status() == v1::ATTEMPT_STATUS_DELIVERED;
  return delivered ? "delivered" : "";
}

v1::Channel ChannelOf(const records::v1::AttemptResult& result) {
  return result.provider_sid().starts_with("CA") ? v1::CHANNEL_VOICE : v1::CHANNEL_SMS;
}

std::string MarkText(const MarkValue& mark) {
  return std::to_string(ToUnixMicros(mark.time)) + ' ' + std::to_string(mark.method) + ' ' +
         (HasEvidence(mark.method) ? std::to_string(mark.step) + ' ' + HexEncode(mark.evidence)
                                   : mark.actor_id);
}

MarkValue ParseMark(std::string_view text) {
  MarkValue mark;
  mark.time = FromUnixMicros(ParseNumber<std::int64_t>(NextWord(text)));
  if (const int method = ParseNumber<int>(NextWord(text));
      v1::AcknowledgementMethod_IsValid(method))
    mark.method = static_cast<v1::AcknowledgementMethod>(method);
  if (HasEvidence(mark.method)) {
    mark.step = ParseNumber<std::int32_t>(NextWord(text));
    mark.evidence = HexDecode(text).value_or("");
  } else {
    mark.actor_id = text;
  }
  return mark;
}

std::string AckCodeText(const v1::AttemptRef& attempt, std::string_view code,
                        WallTime expire_time) {
  return std::string(code) + ' ' + std::to_string(attempt.step()) + ' ' +
         std::to_string(ToUnixMicros(expire_time));
}

std::string FieldPrefix(const v1::AttemptRef& attempt) {
  return std::to_string(attempt.step()) + "." + std::to_string(attempt.attempt());
}

std::string AttemptName(const v1::AttemptRef& attempt) {
  return attempt.alert_id() + "." + FieldPrefix(attempt);
}

v1::AttemptRef ParseAttemptName(std::string_view name) {
  v1::AttemptRef attempt;
  const std::size_t first = name.find('.');
  const std::size_t second = name.rfind('.');
  attempt.set_alert_id(std::string(name.substr(0, first)));
  attempt.set_step(ParseNumber<std::int32_t>(name.substr(first + 1)));
  attempt.set_attempt(ParseNumber<std::int32_t>(name.substr(second + 1)));
  return attempt;
}

}  // namespace tocsin::redis
