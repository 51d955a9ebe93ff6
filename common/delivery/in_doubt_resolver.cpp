#include "common/delivery/in_doubt_resolver.h"

#include <algorithm>
#include <utility>

#include "common/ports/sealed_content.h"

namespace tocsin {

Result<InDoubtFinding> InDoubtResolver::Resolve(const records::v1::WorkRecord& lookup,
                                                const RegistrySnapshot& registry) {
  ResolveRequest request{.attempt = lookup.attempt(),
                         .duplicate_key = DuplicateKey(lookup),
                         .found = {},
                         .unresolved = {},
                         .expire_time = FromUnixMicros(lookup.expire_time_us())};
  TOCSIN_TRY(std::optional<records::v1::AttemptResult> stored, parts_.claims.Resolve(request));
  if (stored) {  // by a callback, the late response, or another lookup
    if (stored->resolved_by() == v1::RESOLVED_BY_UNSPECIFIED)
      stored->set_resolved_by(v1::RESOLVED_BY_RESPONSE);
    return InDoubtFinding{.result = std::move(stored)};
  }
  ListReading reading = ReadList(lookup, registry, parts_.clock.Now());
  const WallTime policy_time = PolicyTime(lookup, schedule_);
  if (parts_.clock.Now() >= policy_time)
    request.unresolved = UnresolvedByPolicy(lookup, policy_time);
  if (reading.may_prove_absence) request.absent = AbsentFromList(lookup, schedule_);
  request.found = std::move(reading.found);
  request.listed_sids = std::move(reading.sids);
  InDoubtFinding finding{.read_list = reading.complete};
  if (request.found.empty() && !request.unresolved && !request.absent) return finding;
  TOCSIN_TRY(finding.result, parts_.claims.Resolve(request));
  return finding;
}

InDoubtResolver::ListReading InDoubtResolver::ReadList(const records::v1::WorkRecord& lookup,
                                                       const RegistrySnapshot& registry,
                                                       WallTime now) {
  const records::v1::InDoubtState& in_doubt = lookup.in_doubt();
  const Sender* sender = registry.FindSender(in_doubt.sender_id());
  const Account* account = registry.FindAccount(in_doubt.account_sid());
  const Result<records::v1::Content> content = OpenContent(parts_.vault, lookup);
  if (sender == nullptr || account == nullptr || !content) return {};
  const ListedTimes times = TimesToList(lookup, now);
  auto entries = parts_.list.List({.account = *account,
                                   .sender = *sender,
                                   .to = Pii(content->to()),
                                   .from = times.from,
                                   .until = times.until},
                                  parts_.clock.SteadyNow() + kListTimeout);
  if (!entries) {
    parts_.probe.OnDependencyError(entries.error());
    return {};
  }
  ListReading reading{.found = {}, .sids = {}, .complete = true};
  const WallTime post_time = FromUnixMicros(in_doubt.post_time_us());
  std::ranges::sort(*entries, {}, [&](const ProviderListEntry& entry) {
    return std::pair(std::chrono::abs(entry.created - post_time), entry.sid);
  });
  for (const ProviderListEntry& entry : *entries) {
    reading.sids.push_back(entry.sid);
    const bool same_text = !entry.text || entry.text->Reveal() == content->text();
    if (entry.by_sender && same_text && MayMatch(in_doubt, entry.created))
      reading.found.push_back(FoundInList(lookup, entry.sid, entry.created));
  }
  reading.may_prove_absence = ProvesAbsence(lookup, schedule_, now) &&
                              IsListedAsDialed(content->to()) && ShowsRecipients(*account);
  return reading;
}

bool InDoubtResolver::ShowsRecipients(const Account& account) {
  const Result<bool> shows =
      parts_.list.ShowsRecipients(account, parts_.clock.SteadyNow() + kListTimeout);
  if (!shows) parts_.probe.OnDependencyError(shows.error());
  return shows.value_or(false);
}

}  // namespace tocsin
