#include "common/delivery/in_doubt_resolver.h"

#include <algorithm>
#include <utility>

#include "common/ports/sealed_content.h"

namespace tocsin {

Task<Result<InDoubtFinding>> InDoubtResolver::Resolve(const records::v1::WorkRecord& lookup,
                                                      const RegistrySnapshot& registry) {
  ResolveRequest request{.attempt = lookup.attempt(),
                         .duplicate_key = DuplicateKey(lookup),
                         .found = {},
                         .unresolved = {},
                         .expire_time = FromUnixMicros(lookup.expire_time_us())};
  TOCSIN_CO_TRY(std::optional<records::v1::AttemptResult> stored,
                co_await parts_.claims.Resolve(request));
  if (stored) {  // by a callback, the late response, or another lookup
    if (stored->resolved_by() == v1::RESOLVED_BY_UNSPECIFIED)
      stored->set_resolved_by(v1::RESOLVED_BY_RESPONSE);
    co_return InDoubtFinding{.result = std::move(stored)};
  }
  ListReading reading = co_await ReadList(lookup, registry, parts_.clock.Now());
  const WallTime policy_time = PolicyTime(lookup, schedule_);
  if (parts_.clock.Now() >= policy_time)
    request.unresolved = UnresolvedByPolicy(lookup, policy_time);
  if (reading.may_prove_absence) request.absent = AbsentFromList(lookup, schedule_);
  request.found = std::move(reading.found);
  request.listed_sids = std::move(reading.sids);
  InDoubtFinding finding{.read_list = reading.complete};
  if (request.found.empty() && !request.unresolved && !request.absent) co_return finding;
  TOCSIN_CO_TRY(finding.result, co_await parts_.claims.Resolve(request));
  co_return finding;
}

Task<InDoubtResolver::ListReading> InDoubtResolver::ReadList(const records::v1::WorkRecord& lookup,
                                                             const RegistrySnapshot& registry,
                                                             WallTime now) {
  const records::v1::InDoubtState& in_doubt = lookup.in_doubt();
  const Sender* sender = registry.FindSender(in_doubt.sender_id());
  const Account* account = registry.FindAccount(in_doubt.account_sid());
  const Result<records::v1::Content> content = OpenContent(parts_.vault, lookup);
  if (sender == nullptr || account == nullptr || !content) co_return ListReading();
  const ListedTimes times = TimesToList(lookup, now);
  const ProviderListQuery query{.account = *account,
                                .sender = *sender,
                                .to = Pii(content->to()),
                                .from = times.from,
                                .until = times.until};
  auto entries = co_await parts_.list.List(query, parts_.clock.SteadyNow() + kListTimeout);
  if (!entries) {
    parts_.probe.OnDependencyError(entries.error());
    co_return ListReading();
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
  if (ProvesAbsence(lookup, schedule_, now) && IsListedAsDialed(content->to()))
    reading.may_prove_absence = co_await ShowsRecipients(*account);
  co_return reading;
}

Task<bool> InDoubtResolver::ShowsRecipients(const Account& account) {
  const Result<bool> shows =
      co_await parts_.list.ShowsRecipients(account, parts_.clock.SteadyNow() + kListTimeout);
  if (!shows) parts_.probe.OnDependencyError(shows.error());
  co_return shows.value_or(false);
}

}  // namespace tocsin
