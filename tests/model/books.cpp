#include "tests/model/books.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/domain/ids.h"
#include "common/domain/waiting.h"

namespace tocsin::model {
namespace {

bool IsCertain(const v1::Receipt& receipt) {
  return receipt.outcome() != v1::RECEIPT_OUTCOME_IN_DOUBT &&
         receipt.outcome() != v1::RECEIPT_OUTCOME_UNSPECIFIED;
}

bool Same(const FoldedAlert& a, const FoldedAlert& b) {
  const auto same_try = [](const TryFold& x, const TryFold& y) {
    return x.status() == y.status() && x.reason() == y.reason() &&
           x.provider_sid() == y.provider_sid() && x.status_since() == y.status_since() &&
           x.provider_code() == y.provider_code() && x.last() == y.last() &&
           x.next_try() == y.next_try();
  };
  return a.state == b.state && a.reason == b.reason && a.ended == b.ended &&
         a.updated == b.updated && std::ranges::equal(a.tries, b.tries, same_try);
}

v1::TryName NameOf(const std::string& alert_id, const TryFold& fold) {
  v1::TryName name;
  name.set_alert_id(alert_id);
  name.set_step(fold.step());
  name.set_try_(fold.attempt());
  return name;
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  alerts += other.alerts;
  posts += other.posts;
  taken += other.taken;
  doubts += other.doubts;
  kills += other.kills;
  freezes += other.freezes;
  steps += other.steps;
  return *this;
}

void Books::Violate(const std::string& what) {
  timeline_.Tell("VIOLATED: " + what);
  violations_.push_back(what);
}

Books::TryBook& Books::Of(const v1::TryName& name) {
  TryBook& made = tries_[TryText(name)];
  if (made.name.alert_id().empty()) made.name = name;
  return made;
}

void Books::Enqueued(const std::string& alert_id, const Terms& terms) {
  ++counts.alerts;
  alerts_[alert_id].terms = terms;
}

void Books::Appended(const IncomingRecord& record) {
  const std::string& topic = record.position.topic();
  if (topic == topics_.Events()) return ReadEvent(record);
  if (topic == topics_.Webhooks()) return ReadWebhook(record);
  if (topic == topics_.Dead(v1::CHANNEL_SMS)) {
    v1::DeadRecord dead;
    if (!dead.ParseFromString(record.value)) return Violate("a dead letter cannot be read");
    Of(dead.work().try_()).dead = true;
    return;
  }
  if (topic == topics_.Consents()) return;
  v1::WorkRecord work;
  if (!work.ParseFromString(record.value)) return Violate("a work record cannot be read");
  // What the caller hands in goes to its lane whenever it is due.
  if (!topics_.TierOf(topic) && !record.Header(kHeaderAccepts) && DueTime(work) > timeline_.Now())
    Violate(TryText(work.try_()) + " comes to its lane before its time");
}

void Books::ReadEvent(const IncomingRecord& record) {
  v1::Event event;
  if (!event.ParseFromString(record.value)) return Violate("an event cannot be read");
  const auto [held, first] = bytes_.try_emplace(event.event_id(), record.value);
  if (!first && held->second != record.value)
    Violate("two events with one id differ: " + event.ShortDebugString());
  if (const auto fact = FactOf(event))
    alerts_[event.try_().alert_id()].facts.try_emplace(fact->id, *fact);
  if (!event.has_try_changed()) return;
  const v1::TryChanged& changed = event.try_changed();
  TryBook& made = Of(event.try_());
  if (changed.status() == v1::TRY_STATUS_SENDING) made.began = true;
  if (changed.status() == v1::TRY_STATUS_SENT) made.known = true;
  if (changed.status() == v1::TRY_STATUS_FAILED && changed.last()) made.given_up = true;
  if (changed.status() == v1::TRY_STATUS_IN_DOUBT && !made.doubted) {
    made.doubted = true;
    ++counts.doubts;
  }
}

void Books::ReadWebhook(const IncomingRecord& record) {
  v1::WebhookRecord webhook;
  if (!webhook.ParseFromString(record.value)) return Violate("a webhook cannot be read");
  if (const auto fact = FactOf(webhook))
    alerts_[webhook.try_().alert_id()].facts.try_emplace(fact->id, *fact);
  Of(webhook.try_()).known = true;
}

void Books::Granted(const v1::TryName& name) {
  if (marked_.contains(name.alert_id()))
    Violate(TryText(name) + " is granted after its cancel was answered");
}

void Books::Kept(const v1::TryName& name, const v1::Receipt& given, const v1::Receipt& stands) {
  TryBook& made = Of(name);
  if (made.settled && stands.outcome() == v1::RECEIPT_OUTCOME_IN_DOUBT)
    Violate(TryText(name) + " is in doubt after its receipt was kept");
  made.settled = made.settled || (IsCertain(given) && IsCertain(stands));
}

void Books::PostBegins(const v1::TryName& name) {
  TryBook& made = Of(name);
  const WallTime now = timeline_.Now();
  const Terms& terms = alerts_[name.alert_id()].terms;
  ++counts.posts;
  if (++made.posts > 1) Violate(TryText(name) + " is POSTed twice");
  if (!made.began) Violate(TryText(name) + " is POSTed before its begin is in the log");
  if (now < terms.send_at) Violate(TryText(name) + " is POSTed before its time");
  if (now > terms.not_after) Violate(TryText(name) + " is POSTed after its horizon");
  const auto pause = pauses_.find(name.alert_id());
  if (pause != pauses_.end() && now < pause->second)
    Violate(TryText(name) + " is POSTed before the time Retry-After named");
}

void Books::Taken(const v1::TryName& name) {
  ++counts.taken;
  if (++Of(name).taken > 1) Violate(TryText(name) + " was taken twice by the carrier");
}

void Books::Answered(const v1::TryName& name, const std::string& word) {
  AlertBook& alert = alerts_[name.alert_id()];
  if (word == "delivered")
    alert.delivered = true;
  else if (word == "undelivered")
    Of(name).undelivered = true;
  else
    alert.silent = true;
}

void Books::Committed(const Place& place, std::int64_t from, std::int64_t to) {
  if (to < from) Violate("a committed offset falls");
  for (std::int64_t offset = from; offset < to; ++offset)
    if (!finished_.contains({place, offset}))
      return Violate(fmt::format("{}/{} is committed past its unfinished record {}", place.first,
                                 place.second, offset));
}

void Books::Conclude(const Broker& broker, Dice& dice) {
  for (const auto& [place, partition] : broker.All()) {
    const bool worked = topics_.TierOf(place.first) || place.first == topics_.Webhooks() ||
                        place.first == topics_.Events() ||
                        std::ranges::count(topics_.Lanes(v1::CHANNEL_SMS), place.first) > 0;
    if (worked && partition.committed != static_cast<std::int64_t>(partition.records.size()))
      Violate(place.first + " is not worked off at rest");
  }
  for (const auto& [name, made] : tries_) ConcludeTry(made);
  for (auto& [alert_id, alert] : alerts_) ConcludeAlert(alert_id, alert, dice);
}

void Books::ConcludeTry(const TryBook& made) {
  if (made.taken > 0 && !made.known && !made.doubted)
    Violate(TryText(made.name) + " was taken by the carrier, and nobody knows");
  if (made.given_up && !made.dead)
    Violate(TryText(made.name) + " was given up without a dead letter");
}

// A doubt that the list settled by a twin's entry, until a callback gave it to the twin.
bool Books::LostItsGuess(const std::string& alert_id, const FoldedAlert& folded) {
  return std::ranges::any_of(folded.tries, [&](const TryFold& fold) {
    const TryBook& made = Of(NameOf(alert_id, fold));
    return made.doubted && made.taken == 0 && !fold.provider_sid().empty();
  });
}

void Books::ConcludeAlert(const std::string& alert_id, AlertBook& alert, Dice& dice) {
  std::vector<Fact> facts;
  for (const auto& [id, fact] : alert.facts) facts.push_back(fact);
  const AlertTerms terms{.accepted = true, .later_steps = {}};
  const FoldedAlert folded = FoldAlert(terms, facts);
  CompareFolds(alert_id, folded, std::move(facts), dice);
  const bool waits = folded.state == v1::ALERT_STATE_SENT &&
                     (alert.silent || LostItsGuess(alert_id, folded));  // for the reconciliation
  if (!IsEnd(folded.state) && !waits)
    Violate(alert_id + " has no end: " + v1::AlertState_Name(folded.state));
  if (alert.delivered && folded.state != v1::ALERT_STATE_DELIVERED)
    Violate(alert_id + " was delivered, and ends " + v1::AlertState_Name(folded.state));
  if (IsEnd(folded.state) && folded.state != v1::ALERT_STATE_DELIVERED && folded.reason.empty())
    Violate(alert_id + " ends without a reason");
  unsigned taken = 0;
  unsigned excused = 0;
  for (const TryFold& fold : folded.tries) {
    const TryBook& made = Of(NameOf(alert_id, fold));
    taken += made.taken;
    excused += made.taken > 0 && (made.doubted || made.undelivered);
  }
  if (taken > 1 + excused) Violate(alert_id + " was sent twice, and no doubt says so");
}

void Books::CompareFolds(const std::string& alert_id, const FoldedAlert& folded,
                         std::vector<Fact> facts, Dice& dice) {
  const size_t count = facts.size();
  for (size_t i = 0; i < count; ++i) {
    std::swap(facts[i], facts[dice.Below(count)]);
    if (dice.Chance(0.3)) facts.push_back(facts[i]);
  }
  if (!Same(folded, FoldAlert({.accepted = true, .later_steps = {}}, facts)))
    Violate(alert_id + " folds to another state in another order");
}

}  // namespace tocsin::model
