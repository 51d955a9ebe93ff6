#include "tests/model/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/domain/ids.h"
#include "tests/fakes/registry.h"
#include "tests/model/process.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostSteps = 300'000;  // a run that needs more does not come to rest
constexpr Micros kSession = 6s;                // a group waits so long for a silent member
constexpr Micros kLatestCallback = 10min;
constexpr Micros kWebhookAgain = 5s;
constexpr int kUnreachable = 30003;    // for now
constexpr int kUnknownNumber = 30005;  // for good

std::shared_ptr<const RegistrySnapshot> RegistryOf(double rate) {
  RegistrySnapshot::Content content = TestRegistry();
  for (Sender& sender : content.senders) sender.segments_per_second = rate;
  return Built(std::move(content));
}

// Parsing a number is dear; every run uses the same.
const v1::RecipientRef& SomeRecipient() {
  static const v1::RecipientRef recipient = [] {
    FakeVault vault;
    return vault.Refer(*Phone::Parse("+15145550123"));
  }();
  return recipient;
}

}  // namespace

// --- The carrier's side -------------------------------------------------------------------------

std::string CarrierSide::Take(const Dispatch& dispatch) {
  const std::string sid = fmt::format("SM{:032x}", taken_.size() + 1);
  const WallTime now = world_.timeline.Now();
  taken_.push_back({dispatch.to.Reveal(),
                    dispatch.sender.id,
                    {sid, std::chrono::floor<std::chrono::seconds>(now), dispatch.text}});
  world_.books.Taken(dispatch.name);
  world_.timeline.Tell(TryText(dispatch.name) + " is taken as " + sid);
  v1::WebhookRecord callback;
  callback.set_kind(v1::WEBHOOK_KIND_SMS_STATUS);
  *callback.mutable_try_() = dispatch.name;
  *callback.mutable_work() = dispatch.work;
  callback.set_token_time_us(ToUnixMicros(now));
  callback.set_provider_sid(sid);
  callback.set_account_sid(dispatch.account.sid);
  callback.set_provider_status("sent");
  CallBack(callback);
  callback.set_provider_status("delivered");
  if (world_.Strikes(world_.faults.undelivered)) {
    callback.set_provider_status("undelivered");
    callback.set_provider_code(world_.dice.Chance(0.5) ? kUnreachable : kUnknownNumber);
  }
  if (world_.Strikes(world_.faults.callback_lost))
    world_.books.Answered(dispatch.name, "");
  else
    CallBack(callback);
  return sid;
}

std::vector<TakenEntry> CarrierSide::List(const TakenQuery& query, Micros lag) const {
  std::vector<TakenEntry> found;
  for (const Taken& taken : taken_)
    if (taken.to == query.to.Reveal() && taken.sender == query.sender.id &&
        taken.entry.created >= query.from && taken.entry.created <= query.until &&
        taken.entry.created + lag <= world_.timeline.Now())
      found.push_back(taken.entry);
  return found;
}

void CarrierSide::CallBack(v1::WebhookRecord callback) {
  callback.set_webhook_id(
      EventId(callback.try_(), callback.provider_sid() + callback.provider_status()));
  const Micros latest = world_.Strikes(world_.faults.callback_late) ? kLatestCallback : Micros(2s);
  const int times = world_.Strikes(world_.faults.callback_doubled) ? 2 : 1;
  for (int i = 0; i < times; ++i)
    world_.timeline.After(world_.dice.Between(0us, latest), [this, callback] { Arrive(callback); });
}

// The ingress: it answers when the record is in the log, and is asked again otherwise.
void CarrierSide::Arrive(v1::WebhookRecord callback) {
  if (world_.Strikes(world_.faults.publish_lost)) {
    world_.timeline.After(kWebhookAgain, [this, callback] { Arrive(callback); });
    return;
  }
  callback.set_received_time_us(ToUnixMicros(world_.timeline.Now()));
  const v1::TryName& name = callback.try_();
  if (world_.bug != Bug::kCallbackIgnored)
    world_.broker.Append(
        {world_.topics.Webhooks(), name.alert_id(), callback.SerializeAsString(), {}});
  if (callback.provider_status() != "sent") world_.books.Answered(name, callback.provider_status());
  world_.timeline.Tell(TryText(name) + " calls back: " + callback.provider_status());
}

// --- The run ------------------------------------------------------------------------------------

World::World(std::uint64_t seed, Bug planted) : dice(seed), bug(planted) {
  faults = Faults::Draw(dice);
  if (bug == Bug::kNoFence) {  // what the fence guards against is rare: releases, and late ones
    faults.crash = faults.publish_lost = 0.05;
    faults.timed_out = faults.enqueue_repeated = 0.5;
    faults.store_late = 1;
  }
  calm_from = timeline.Now() + dice.Between(60s, 600s);
  registry = RegistryOf(dice.Chance(0.3) ? 1 : 100);
  std::vector<std::string> worked = lanes;
  for (const bool emergency : {true, false})
    for (std::string& topic : topics.Delays(emergency)) worked.push_back(std::move(topic));
  worked.push_back(topics.Webhooks());
  worked.push_back(topics.Events());
  for (const std::string& topic : worked)
    for (std::int32_t i = 0; i < Broker::kPartitions; ++i) places_.emplace_back(topic, i);
  broker.appended = [this](const IncomingRecord& record) {
    if (timeline.Telling())
      timeline.Tell(fmt::format("{}/{}/{}", record.position.topic(), record.position.partition(),
                                record.position.offset()));
    books.Appended(record);
    const Place place{record.position.topic(), record.position.partition()};
    for (const auto& process : processes_)
      if (process && process->Owns(place)) process->PlanPoll(place);
  };
}

World::~World() {
  for (const auto& process : processes_)
    if (process) process->Bury();
}

void World::Run() {
  processes_.resize(1 + dice.Below(3));
  for (size_t i = 0; i < processes_.size(); ++i) Start(i);
  const std::uint64_t alerts = 1 + dice.Below(5);
  for (std::uint64_t i = 0; i < alerts; ++i) PlanAlert();
  if (dice.Chance(faults.store_exchanged)) PlanExchange();
  while (!books.Violated() && timeline.Step())
    if (timeline.Steps() > kMostSteps) return books.Violate("it does not come to rest");
  if (!books.Violated()) books.Conclude(broker, dice);
}

v1::WorkRecord World::AnAlert() {
  const WallTime now = timeline.Now();
  v1::WorkRecord work;
  std::string random;
  for (int i = 0; i < 10; ++i) random.push_back(static_cast<char>(dice.Below(256)));
  work.mutable_try_()->set_alert_id(NewAlertId(now, random));
  work.mutable_try_()->set_step(1);
  work.mutable_try_()->set_try_(1);
  work.set_kind(v1::WORK_KIND_TRY);
  work.set_client_id("demo");
  const bool emergency = dice.Chance(0.25);
  work.set_class_(emergency          ? v1::ALERT_CLASS_EMERGENCY
                  : dice.Chance(0.5) ? v1::ALERT_CLASS_NORMAL
                                     : v1::ALERT_CLASS_BULK);
  work.set_channel(v1::CHANNEL_SMS);
  work.set_accepted_time_us(ToUnixMicros(now));
  work.set_first_published_us(ToUnixMicros(now));
  work.set_not_after_us(ToUnixMicros(now + dice.Between(30s, 3600s)));
  if (dice.Chance(0.3)) work.set_send_at_us(ToUnixMicros(now + dice.Between(0s, 900s)));
  *work.mutable_recipient() = SomeRecipient();
  work.set_segments(1 + static_cast<unsigned>(dice.Below(3)));
  work.set_sender(emergency ? "urgent" : "main");
  work.mutable_budget()->set_used(1);
  work.mutable_budget()->set_limit(1 + static_cast<unsigned>(dice.Below(5)));
  v1::Content content;
  content.set_to("+15145550123");
  // Twins, now and then: the same text for the same person.
  content.set_text(fmt::format("Boiler {} is too hot", dice.Below(4)));
  work.set_body_digest(vault.DigestBody(content.text()));
  const auto sealed =
      vault.Seal({"demo", work.try_().alert_id(), "content"}, content.SerializeAsString());
  *work.mutable_content() = sealed->sealed;
  *work.mutable_key() = sealed->key;
  return work;
}

void World::PlanAlert() {
  timeline.After(dice.Between(0s, 60s), [this] {
    const v1::WorkRecord work = AnAlert();
    const std::string alert_id = work.try_().alert_id();
    const OutgoingRecord record{topics.Lane(work.channel(), work.class_()),
                                alert_id,
                                work.SerializeAsString(),
                                {{std::string(kHeaderAccepts), "demo"}}};
    books.Enqueued(alert_id,
                   {FromUnixMicros(work.send_at_us()), FromUnixMicros(work.not_after_us())});
    timeline.Tell(alert_id + " is accepted");
    broker.Append(record);
    if (Strikes(faults.enqueue_repeated))
      timeline.After(dice.Between(0s, 60s), [this, record] { broker.Append(record); });
    if (dice.Chance(0.15))
      timeline.After(dice.Between(0s, 120s), [this, alert_id] { Cancel(alert_id); });
  });
}

void World::Cancel(const std::string& alert_id) {
  if (exchanged) return;  // refused: the store cannot be asked
  if (bug != Bug::kMarkIgnored) store.Mark(alert_id, "CANCELLED");
  books.Marked(alert_id);
  v1::Event event;
  event.mutable_try_()->set_alert_id(alert_id);
  event.set_event_id(EventId(event.try_(), "cancel"));
  event.set_time_us(ToUnixMicros(timeline.Now()));
  event.mutable_cancel_requested()->set_outcome("CANCELLED");
  timeline.Tell(alert_id + " is cancelled");
  broker.Append({topics.Events(), alert_id, event.SerializeAsString(), {}});
}

// A fail-over to an empty replica, mended later.
void World::PlanExchange() {
  timeline.After(dice.Between(1s, 60s), [this] {
    exchanged = true;
    timeline.Tell("the store is exchanged for an empty one");
    timeline.After(dice.Between(1s, 120s), [this] {
      exchanged = false;
      timeline.Tell("the store is back");
    });
  });
}

void World::SpoilFollowUp(OutgoingRecord& record) const {
  const bool work_topic = topics.TierOf(record.topic) ||
                          std::ranges::count(topics.Lanes(v1::CHANNEL_SMS), record.topic) > 0;
  if (bug != Bug::kRetryKeepsName || !work_topic) return;
  v1::WorkRecord work;
  if (!work.ParseFromString(record.value) || work.try_().try_() < 2) return;
  work.mutable_try_()->set_try_(work.try_().try_() - 1);
  record.value = work.SerializeAsString();
}

// --- Workers ------------------------------------------------------------------------------------

void World::Start(size_t number) {
  processes_[number] = std::make_shared<Process>(*this, number);
  timeline.Tell(fmt::format("worker {} starts", number));
  Rebalance();
}

void World::ProcessDied(size_t number) {
  ++books.counts.kills;
  timeline.Tell(fmt::format("worker {} is killed", number));
  timeline.After(0us, [this, number] {
    if (!processes_[number]) return;
    processes_[number]->Bury();
    processes_[number].reset();
    timeline.After(dice.Between(200ms, 20s), [this, number] { Start(number); });
    timeline.After(kSession, [this] { Rebalance(); });
  });
}

void World::ProcessFroze(size_t number, Micros time) {
  ++books.counts.freezes;
  timeline.Tell(fmt::format("worker {} is stopped for {} ms", number, time.count() / 1000));
  timeline.After(kSession, [this] { Rebalance(); });
  timeline.After(time, [this] { Rebalance(); });
}

// Who is silent for a session has lost its partitions without knowing it.
void World::Rebalance() {
  std::vector<Process*> members;
  for (const auto& process : processes_)
    if (process && !process->Frozen()) members.push_back(process.get());
  if (members.empty()) return;
  for (size_t i = 0; i < places_.size(); ++i) {
    Process* const owner = members[i % members.size()];
    for (const auto& process : processes_)
      if (process && process.get() != owner && process->Owns(places_[i]))
        process->Revoke(places_[i], process->Frozen());
    if (!owner->Owns(places_[i])) owner->Assign(places_[i]);
  }
}

Outcome RunSeed(std::uint64_t seed, Bug bug, bool story) {
  World world(seed, bug);
  if (story) world.timeline.KeepStory();
  world.Run();
  world.books.counts.steps = world.timeline.Steps();
  return {world.books.Violations(), world.timeline.Story(), world.books.counts};
}

}  // namespace tocsin::model
