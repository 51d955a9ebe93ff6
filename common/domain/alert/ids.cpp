#include "common/domain/alert/ids.h"

#include "common/base/digest.h"
#include "common/base/uuid.h"

namespace tocsin {
namespace {

std::string WithLength(std::string_view text) {
  return std::to_string(text.size()) + ':' + std::string(text);
}

}  // namespace

std::string NewAlertId(WallTime now, std::string_view random) {
  return MakeUuidV7(std::chrono::floor<std::chrono::milliseconds>(now), random);
}

std::string KeyedAlertId(WallTime now, std::string_view client_id, std::string_view idempotency_key,
                         std::string_view request_digest) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  return MakeUuidV8(
      day, Sha256(WithLength(client_id) + WithLength(idempotency_key) + WithLength(request_digest) +
                  std::to_string(day.time_since_epoch().count())));
}

std::string IdempotencyDigest(std::string_view client_id, std::string_view idempotency_key) {
  return Sha256(WithLength(client_id) + WithLength(idempotency_key));
}

std::string AttemptText(const v1::AttemptRef& name) {
  return name.alert_id() + '.' + std::to_string(name.step()) + '.' + std::to_string(name.attempt());
}

std::string EventId(const v1::AttemptRef& name, std::string_view seed) {
  return MakeUuidV5(AttemptText(name) + '|' + std::string(seed));
}

}  // namespace tocsin
