#include "common/delivery/doubt_look.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tocsin {

Result<std::optional<v1::Receipt>> DoubtLook::Look(const v1::WorkRecord& look,
                                                   const RegistrySnapshot& registry) {
  DoubtRequest request{.name = look.try_(),
                       .twins = TwinsOf(look),
                       .found = {},
                       .unproven = {},
                       .not_after = FromUnixMicros(look.not_after_us())};
  TOCSIN_TRY(std::optional<v1::Receipt> known, parts_.claims.Settle(request));
  if (known) {  // a callback named the try, its sender came back, or another look was faster
    if (known->settled_by().empty()) known->set_settled_by(std::string(kByAnswer));
    return known;
  }
  request.found = FindInList(look, registry);
  const WallTime policy_time = PolicyTime(look, schedule_);
  if (parts_.clock.Now() >= policy_time) request.unproven = EndedByPolicy(look, policy_time);
  if (request.found.empty() && !request.unproven) return std::optional<v1::Receipt>();
  return parts_.claims.Settle(request);
}

std::vector<v1::Receipt> DoubtLook::FindInList(const v1::WorkRecord& look,
                                               const RegistrySnapshot& registry) {
  const v1::Doubt& doubt = look.doubt();
  const Sender* sender = registry.FindSender(doubt.sender());
  const Account* account = registry.FindAccount(doubt.account_sid());
  const SealContext context{look.client_id(), look.try_().alert_id(), kContentField};
  const Result<Pii> opened = parts_.vault.Open(context, look.key(), look.content());
  v1::Content content;
  if (sender == nullptr || account == nullptr || !opened ||
      !content.ParseFromString(opened->Reveal()))
    return {};
  const auto listed =
      parts_.list.ListTaken({.account = *account,
                             .sender = *sender,
                             .to = Pii(content.to()),
                             .from = FromUnixMicros(doubt.post_began_us()) - kCarrierSkew,
                             .until = FromUnixMicros(doubt.began_us()) + kCarrierSkew},
                            parts_.clock.SteadyNow() + kListLimit);
  if (!listed) {
    parts_.list_failed(listed.error());
    return {};
  }
  std::vector<TakenEntry> fitting;
  for (const TakenEntry& entry : *listed)
    if (WithinDoubt(doubt, entry.created) &&
        (!entry.text || entry.text->Reveal() == content.text()))
      fitting.push_back(entry);
  const auto distance = [&](const TakenEntry& entry) {
    return std::chrono::abs(entry.created - FromUnixMicros(doubt.post_began_us()));
  };
  std::ranges::sort(fitting, {},
                    [&](const TakenEntry& entry) { return std::pair(distance(entry), entry.sid); });
  std::vector<v1::Receipt> found;
  for (const TakenEntry& entry : fitting)
    found.push_back(FoundInList(look, entry.sid, entry.created));
  return found;
}

}  // namespace tocsin
