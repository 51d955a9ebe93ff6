#include "common/redis/keys.h"

#include "common/base/encoding.h"

namespace tocsin::redis {

std::string Keys::Idempotency(std::string_view digest) const {
  return prefix_ + "key:" + HexEncode(digest);
}

std::string Keys::Twins(std::string_view twins) const {
  return prefix_ + "twins:" + HexEncode(twins);
}

std::string TextOf(Proof proof) { return std::to_string(static_cast<int>(proof)); }

std::string FieldsOf(const v1::TryName& name) {
  return std::to_string(name.step()) + "." + std::to_string(name.try_());
}

std::string FullName(const v1::TryName& name) { return name.alert_id() + "." + FieldsOf(name); }

}  // namespace tocsin::redis
