#include "services/ingress/acceptance/metadata.h"

#include "common/domain/message/pii.h"

namespace tocsin::ingress {

Status CheckNoPii(std::string_view value, std::string_view field,
                  std::span<const std::string> regions) {
  const std::optional<PiiKind> kind = FindPii(value, regions);
  if (!kind) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "looks like " + std::string(NameOf(*kind)) +
                  ", and it is stored in the clear; use an id or a hash instead "
                  "(TOCSIN_ALLOW_PII_LIKE_METADATA=true disables this check)",
              std::string(field));
}

Status CheckMetadata(const v1::EnqueueRequest& request, std::span<const std::string> regions) {
  TOCSIN_CHECK_OK(CheckNoPii(request.idempotency_key(), "idempotency_key", regions));
  for (const auto& [name, value] : request.labels()) {
    TOCSIN_CHECK_OK(CheckNoPii(name, "labels.key", regions));
    TOCSIN_CHECK_OK(CheckNoPii(value, "labels.value", regions));
  }
  for (int i = 0; i < request.plan().steps_size(); ++i)
    for (int j = 0; j < request.plan().steps(i).targets_size(); ++j)
      TOCSIN_CHECK_OK(CheckNoPii(
          request.plan().steps(i).targets(j).person(),
          "plan.steps[" + std::to_string(i) + "].targets[" + std::to_string(j) + "].person",
          regions));
  return {};
}

}  // namespace tocsin::ingress
