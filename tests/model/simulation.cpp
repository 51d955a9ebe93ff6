#include "tests/model/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/ports/sealed_content.h"
#include "tests/fakes/registry.h"
#include "tests/model/process.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxSteps = 1'000'000;  // a run that needs more does not end
constexpr Micros kSessionTimeout = 6s;
constexpr Micros kLatestCallback = 10min;
constexpr Micros kWebhookRetryDelay = 5s;

std::shared_ptr<const RegistrySnapshot> RegistryOf(double rate) {
  RegistrySnapshot::Content content = TestRegistry();
  for (Sender& sender : content.senders) sender.segments_per_second = rate;
  return Built(std::move(content));
}

// Parsing a number is slow: all runs share it.
const records::v1::RecipientRef& SomeRecipient() {
  static const records::v1::RecipientRef recipient = [] {
    FakeVault vault;
    return vault.MakeRecipientRef(*Phone::Parse("+15145550123"));
  }();
  return recipient;
}

}  // namespace

// --- Provider -----------------------------------------------------------------------------------

std::string SimulatedProvider::Accept(const Dispatch& dispatch) {
  const std::string sid = fmt::format("SM{:032x}", messages_.size() + 1);
  const WallTime now = simulation_.timeline.Now();
  messages_.push_back({dispatch.to.Reveal(),
                       dispatch.sender.id,
                       {sid, std::chrono::floor<std::chrono::seconds>(now), dispatch.text}});
  simulation_.checker.Accepted(dispatch.attempt);
  simulation_.timeline.Trace(AttemptText(dispatch.attempt) + " is accepted as " + sid);
  records::v1::WebhookRecord callback;
  callback.set_kind(records::v1::WEBHOOK_KIND_SMS_STATUS);
  *callback.mutable_attempt() = dispatch.attempt;
  *callback.mutable_work() = dispatch.work;
  callback.set_token_time_us(ToUnixMicros(now));
  callback.set_provider_sid(sid);
  callback.set_account_sid(dispatch.account.sid);
  callback.set_status(v1::ATTEMPT_STATUS_SENT);
  ScheduleCallback(callback);
  callback.set_status(v1::ATTEMPT_STATUS_DELIVERED);
  if (simulation_.Occurs(simulation_.faults.undelivered)) {
    callback.set_status(v1::ATTEMPT_STATUS_UNDELIVERED);
    callback.set_error_class(simulation_.dice.Chance(0.5)
                                 ? records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY
                                 : records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER);
  }
  if (simulation_.Occurs(simulation_.faults.callback_lost))
    simulation_.checker.CalledBack(dispatch.attempt, std::nullopt);
  else
    ScheduleCallback(callback);
  return sid;
}

std::vector<ProviderListEntry> SimulatedProvider::List(const ProviderListQuery& query,
                                                       Micros lag) const {
  std::vector<ProviderListEntry> found;
  for (const Message& message : messages_) {
    if (message.to != query.to.Reveal() || message.entry.created < query.from ||
        message.entry.created > query.until ||
        message.entry.created + lag > simulation_.timeline.Now())
      continue;
    found.push_back(message.entry);
    found.back().by_sender = message.sender == query.sender.id;
  }
  return found;
}

void SimulatedProvider::ScheduleCallback(records::v1::WebhookRecord callback) {
  callback.set_webhook_id(EventId(
      callback.attempt(), callback.provider_sid() + v1::AttemptStatus_Name(callback.status())));
  const Micros latest =
      simulation_.Occurs(simulation_.faults.callback_late) ? kLatestCallback : Micros(2s);
  const int times = simulation_.Occurs(simulation_.faults.callback_doubled) ? 2 : 1;
  for (int i = 0; i < times; ++i)
    simulation_.timeline.After(simulation_.dice.Between(0us, latest),
                               [this, callback] { Deliver(callback); });
}

// As the ingress: responds when the record is in the log; otherwise the provider retries.
void SimulatedProvider::Deliver(records::v1::WebhookRecord callback) {
  if (simulation_.Occurs(simulation_.faults.publish_lost)) {
    simulation_.timeline.After(kWebhookRetryDelay, [this, callback] { Deliver(callback); });
    return;
  }
  callback.set_receive_time_us(ToUnixMicros(simulation_.timeline.Now()));
  const v1::AttemptRef& attempt = callback.attempt();
  if (simulation_.bug != Bug::kCallbackIgnored)
    simulation_.broker.Append(
        {simulation_.topics.Webhooks(), attempt.alert_id(), callback.SerializeAsString(), {}});
  if (callback.status() != v1::ATTEMPT_STATUS_SENT)
    simulation_.checker.CalledBack(attempt, callback.status());
  simulation_.timeline.Trace(AttemptText(attempt) + " callback " +
                             v1::AttemptStatus_Name(callback.status()));
}

// --- Run ----------------------------------------------------------------------------------------

Simulation::Simulation(std::uint64_t seed, Bug planted) : dice(seed), bug(planted) {
  faults = Faults::Draw(dice);
  if (bug == Bug::kNoFence) {  // what it guards against is rare: late releases
    faults.crash = faults.publish_lost = 0.05;
    faults.timed_out = faults.enqueue_repeated = 0.5;
    faults.store_late = 1;
  }
  if (bug == Bug::kMarkIgnored) faults.store_silent = 0.5;  // the cancel is synced late
  faults_until = timeline.Now() + dice.Between(60s, 600s);
  registry = RegistryOf(dice.Chance(0.3) ? 1 : 100);
  std::vector<std::string> consumed = lanes;
  for (const bool emergency : {true, false})
    for (std::string& topic : topics.Delays(emergency)) consumed.push_back(std::move(topic));
  consumed.push_back(topics.Webhooks());
  consumed.push_back(topics.Events());
  for (const std::string& topic : consumed)
    for (std::int32_t i = 0; i < Broker::kPartitions; ++i) places_.emplace_back(topic, i);
  broker.on_append = [this](const IncomingRecord& record) {
    if (timeline.Tracing())
      timeline.Trace(fmt::format("{}/{}/{}", record.position.topic(), record.position.partition(),
                                 record.position.offset()));
    checker.Appended(record);
    const Place place{record.position.topic(), record.position.partition()};
    for (const auto& process : processes_)
      if (process && process->IsAssigned(place)) process->SchedulePoll(place);
  };
}

Simulation::~Simulation() = default;

void Simulation::Run() {
  processes_.resize(1 + dice.Below(3));
  for (size_t i = 0; i < processes_.size(); ++i) Start(i);
  const std::uint64_t alerts = 1 + dice.Below(5);
  for (std::uint64_t i = 0; i < alerts; ++i) ScheduleAlert();
  if (dice.Chance(faults.store_replaced)) ScheduleStoreReplacement();
  while (!checker.Violated() && timeline.Step())
    if (timeline.Steps() > kMaxSteps) return checker.Violate("the run does not end");
  if (!checker.Violated()) checker.CheckFinalState(broker, dice);
}

records::v1::WorkRecord Simulation::AnAlert() {
  const WallTime now = timeline.Now();
  records::v1::WorkRecord work;
  std::string random;
  for (int i = 0; i < 10; ++i) random.push_back(static_cast<char>(dice.Below(256)));
  work.mutable_attempt()->set_alert_id(NewAlertId(now, random));
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_client_id("demo");
  const bool emergency = dice.Chance(0.25);
  work.set_priority(emergency          ? v1::PRIORITY_EMERGENCY
                    : dice.Chance(0.5) ? v1::PRIORITY_NORMAL
                                       : v1::PRIORITY_BULK);
  work.set_channel(v1::CHANNEL_SMS);
  work.set_create_time_us(ToUnixMicros(now));
  work.set_first_publish_time_us(ToUnixMicros(now));
  work.set_expire_time_us(ToUnixMicros(now + dice.Between(30s, 3600s)));
  if (dice.Chance(0.3)) work.set_send_time_us(ToUnixMicros(now + dice.Between(0s, 900s)));
  *work.mutable_recipient() = SomeRecipient();
  work.set_segment_count(1 + static_cast<std::int32_t>(dice.Below(3)));
  work.set_sender_id(emergency ? "urgent" : "main");
  work.mutable_retry_budget()->set_attempts_used(1);
  work.mutable_retry_budget()->set_attempts_max(1 + static_cast<std::int32_t>(dice.Below(5)));
  records::v1::Content content;
  content.set_to("+15145550123");
  // Sometimes duplicates: the same text to the same recipient.
  content.set_text(fmt::format("Boiler {} is too hot", dice.Below(4)));
  work.set_body_digest(vault.DigestBody(content.text()));
  if (!SealContent(vault, content, work)) std::abort();
  return work;
}

void Simulation::ScheduleAlert() {
  timeline.After(dice.Between(0s, 60s), [this] {
    const records::v1::WorkRecord work = AnAlert();
    const std::string alert_id = work.attempt().alert_id();
    const OutgoingRecord record =
        MakeAcceptanceRecord(topics.Lane(work.channel(), work.priority()), work, "");
    checker.Enqueued(alert_id,
                     {FromUnixMicros(work.send_time_us()), FromUnixMicros(work.expire_time_us())});
    timeline.Trace(alert_id + " is accepted");
    broker.Append(record);
    if (Occurs(faults.enqueue_repeated))
      timeline.After(dice.Between(0s, 60s), [this, record] { broker.Append(record); });
    if (dice.Chance(0.15))
      timeline.After(dice.Between(0s, 120s), [this, alert_id] { Cancel(alert_id); });
  });
}

void Simulation::Cancel(const std::string& alert_id) {
  if (store_replaced) return;  // refused: the store is unavailable
  if (bug != Bug::kMarkIgnored) store.Mark(alert_id, "CANCELLED");
  checker.Cancelled(alert_id);
  records::v1::Event event;
  event.mutable_attempt()->set_alert_id(alert_id);
  event.set_event_id(EventId(event.attempt(), "cancel"));
  event.set_time_us(ToUnixMicros(timeline.Now()));
  event.mutable_cancel_requested()->set_outcome(v1::CANCEL_OUTCOME_CANCELLED);
  timeline.Trace(alert_id + " is cancelled");
  broker.Append({topics.Events(), alert_id, event.SerializeAsString(), {}});
}

// A fail-over to an empty replica, reverted later.
void Simulation::ScheduleStoreReplacement() {
  timeline.After(dice.Between(1s, 60s), [this] {
    store_replaced = true;
    timeline.Trace("the store is replaced by an empty one");
    timeline.After(dice.Between(1s, 120s), [this] {
      store_replaced = false;
      timeline.Trace("the store is back");
    });
  });
}

void Simulation::ApplyRetryBug(OutgoingRecord& record) const {
  const bool work_topic = topics.TierOf(record.topic) ||
                          std::ranges::count(topics.Lanes(v1::CHANNEL_SMS), record.topic) > 0;
  if (bug != Bug::kRetryKeepsNumber || !work_topic) return;
  records::v1::WorkRecord work;
  if (!work.ParseFromString(record.value) || work.attempt().attempt() < 2) return;
  work.mutable_attempt()->set_attempt(work.attempt().attempt() - 1);
  record.value = work.SerializeAsString();
}

// --- Workers ------------------------------------------------------------------------------------

void Simulation::Start(size_t number) {
  processes_[number] = std::make_shared<Process>(*this, number);
  processes_[number]->Start();
  timeline.Trace(fmt::format("worker {} starts", number));
  Rebalance();
}

void Simulation::OnKilled(size_t number) {
  ++checker.counts.kills;
  timeline.Trace(fmt::format("worker {} is killed", number));
  timeline.After(0us, [this, number] {
    processes_[number].reset();
    timeline.After(dice.Between(200ms, 20s), [this, number] { Start(number); });
    timeline.After(kSessionTimeout, [this] { Rebalance(); });
  });
}

void Simulation::OnFrozen(size_t number, Micros time) {
  ++checker.counts.freezes;
  timeline.Trace(fmt::format("worker {} is frozen for {} ms", number, time.count() / 1000));
  timeline.After(kSessionTimeout, [this] { Rebalance(); });
  timeline.After(time, [this] { Rebalance(); });
}

// A frozen member loses its partitions without knowing it.
void Simulation::Rebalance() {
  std::vector<Process*> members;
  for (const auto& process : processes_)
    if (process && !process->Frozen()) members.push_back(process.get());
  if (members.empty()) return;
  for (size_t i = 0; i < places_.size(); ++i) {
    Process* const owner = members[i % members.size()];
    for (const auto& process : processes_)
      if (process && process.get() != owner && process->IsAssigned(places_[i]))
        process->Revoke(places_[i], process->Frozen());
    if (!owner->IsAssigned(places_[i])) owner->Assign(places_[i]);
  }
}

Outcome RunSeed(std::uint64_t seed, Bug bug, bool trace) {
  Simulation simulation(seed, bug);
  if (trace) simulation.timeline.EnableTrace();
  simulation.Run();
  simulation.checker.counts.steps = simulation.timeline.Steps();
  return {simulation.checker.Violations(), simulation.timeline.TraceLines(),
          simulation.checker.counts};
}

}  // namespace tocsin::model
