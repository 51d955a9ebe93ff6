#include "common/redis/gcra_pacer.h"

#include <algorithm>
#include <cmath>

namespace tocsin::redis {
namespace {

constexpr Micros kBurst = std::chrono::seconds(1);
constexpr Micros kMaxInterval = std::chrono::days(7);  // no alert waits longer

}  // namespace

Result<WallTime> GcraPacer::Reserve(const std::string& key, double units_per_second,
                                    std::int32_t units, WallTime latest) {
  if (!std::isfinite(units_per_second) || units_per_second <= 0)
    return Fail(ErrorCode::kInvalidArgument, "the rate of a sender must be positive");
  const double micros = std::ceil(std::max(std::int32_t{1}, units) * 1e6 / units_per_second);
  const auto interval =
      static_cast<std::int64_t>(std::min(micros, static_cast<double>(kMaxInterval.count())));
  TOCSIN_TRY(const Reply reply,
             server_.Run({.script = ReserveRateScript(),
                          .keys = {server_.keys().Rate(key)},
                          .args = {std::to_string(interval), std::to_string(kBurst.count()),
                                   std::to_string(ToUnixMicros(latest))}}));
  return FromUnixMicros(reply.Number(2));
}

}  // namespace tocsin::redis
