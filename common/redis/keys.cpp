#include "common/redis/keys.h"

#include "common/base/encoding.h"

namespace tocsin::redis {

std::string Keys::Idempotency(std::string_view digest) const {
  return prefix_ + "key:" + HexEncode(digest);
}

std::string Keys::Open(v1::Channel channel) const {
  return prefix_ + (channel == v1::CHANNEL_VOICE ? "open:voice" : "open:sms");
}

std::string Keys::Twins(std::string_view twins) const {
  return prefix_ + "twins:" + HexEncode(twins);
}

std::string TextOf(Proof proof) { return std::to_string(static_cast<int>(proof)); }

v1::Channel ChannelOf(const v1::Receipt& receipt) {
  return receipt.provider_sid().starts_with("CA") ? v1::CHANNEL_VOICE : v1::CHANNEL_SMS;
}

std::string MarkText(WallTime time, std::string_view by) {
  return (std::to_string(ToUnixMicros(time)) + ' ').append(by);
}

std::string FieldsOf(const v1::TryName& name) {
  return std::to_string(name.step()) + "." + std::to_string(name.try_());
}

std::string FullName(const v1::TryName& name) { return name.alert_id() + "." + FieldsOf(name); }

}  // namespace tocsin::redis
