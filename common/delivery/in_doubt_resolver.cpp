#include "common/delivery/in_doubt_resolver.h"

#include <algorithm>
#include <utility>

#include "common/ports/sealed_content.h"

namespace tocsin {

Result<std::optional<records::v1::AttemptResult>> InDoubtResolver::Resolve(
    const records::v1::WorkRecord& lookup, const RegistrySnapshot& registry) {
  ResolveRequest request{.attempt = lookup.attempt(),
                         .duplicate_key = DuplicateKey(lookup),
                         .found = {},
                         .unresolved = {},
                         .expire_time = FromUnixMicros(lookup.expire_time_us())};
  TOCSIN_TRY(std::optional<records::v1::AttemptResult> stored, parts_.claims.Resolve(request));
  if (stored) {  // by a callback, the late response, or another lookup
    if (stored->resolved_by() == v1::RESOLVED_BY_UNSPECIFIED)
      stored->set_resolved_by(v1::RESOLVED_BY_RESPONSE);
    return stored;
  }
  request.found = FindInList(lookup, registry);
  const WallTime policy_time = PolicyTime(lookup, schedule_);
  if (parts_.clock.Now() >= policy_time)
    request.unresolved = UnresolvedByPolicy(lookup, policy_time);
  if (request.found.empty() && !request.unresolved)
    return std::optional<records::v1::AttemptResult>();
  return parts_.claims.Resolve(request);
}

std::vector<records::v1::AttemptResult> InDoubtResolver::FindInList(
    const records::v1::WorkRecord& lookup, const RegistrySnapshot& registry) {
  std::vector<ProviderListEntry> entries = ListMatching(lookup, registry);
  const WallTime post_time = FromUnixMicros(lookup.in_doubt().post_time_us());
  std::ranges::sort(entries, {}, [&](const ProviderListEntry& entry) {
    return std::pair(std::chrono::abs(entry.created - post_time), entry.sid);
  });
  std::vector<records::v1::AttemptResult> found;
  for (const ProviderListEntry& entry : entries)
    found.push_back(FoundInList(lookup, entry.sid, entry.created));
  return found;
}

std::vector<ProviderListEntry> InDoubtResolver::ListMatching(const records::v1::WorkRecord& lookup,
                                                             const RegistrySnapshot& registry) {
  const records::v1::InDoubtState& in_doubt = lookup.in_doubt();
  const Sender* sender = registry.FindSender(in_doubt.sender_id());
  const Account* account = registry.FindAccount(in_doubt.account_sid());
  const Result<records::v1::Content> content = OpenContent(parts_.vault, lookup);
  if (sender == nullptr || account == nullptr || !content) return {};
  auto listed =
      parts_.list.List({.account = *account,
                        .sender = *sender,
                        .to = Pii(content->to()),
                        .from = FromUnixMicros(in_doubt.post_time_us()) - kProviderClockSkew,
                        .until = FromUnixMicros(in_doubt.begin_time_us()) + kProviderClockSkew},
                       parts_.clock.SteadyNow() + kListTimeout);
  if (!listed) {
    parts_.probe.OnDependencyError(listed.error());
    return {};
  }
  std::erase_if(*listed, [&](const ProviderListEntry& entry) {
    return !MayMatch(in_doubt, entry.created) ||
           (entry.text && entry.text->Reveal() != content->text());
  });
  return *std::move(listed);
}

}  // namespace tocsin
