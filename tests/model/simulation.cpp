#include "tests/model/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/ports/sealed_content.h"
#include "tests/fakes/registry.h"
#include "tests/model/plans.h"
#include "tests/model/process.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxSteps = 10'000'000;  // a run that needs more does not end
constexpr Micros kSessionTimeout = 6s;
constexpr Micros kConsentLatency = 100ms;
constexpr Micros kAtOnce = 5s;  // a cancellation or an acknowledgement by the API
constexpr Micros kSoonAction = 2min;
constexpr Micros kLatestAction = 30min;

// Of the runs. A plan costs more than other alerts.
constexpr double kPlansOfTwoChannels = 0.5;
constexpr double kPlansOfOneChannel = 0.1;
constexpr double kPlans = 0.6;  // of the alerts of these runs
constexpr std::uint64_t kPlanSeed = 0x706C616E;
constexpr Micros kAroundDeadline = 5s;

std::shared_ptr<const RegistrySnapshot> RegistryOf(double rate) {
  RegistrySnapshot::Content content = TestRegistry();
  content.voice = ChannelMode::kLive;
  for (Sender& sender : content.senders) {
    sender.channels.insert(v1::CHANNEL_VOICE);
    sender.segments_per_second = rate;
    sender.calls_per_second = rate;
  }
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

// Most runs have one channel: they cost less and find more in the same time.
std::vector<v1::Channel> DrawChannels(Dice& dice) {
  switch (dice.Below(5)) {
    case 0:
    case 1: return {v1::CHANNEL_SMS};
    case 2:
    case 3: return {v1::CHANNEL_VOICE};
    default: return {v1::CHANNEL_SMS, v1::CHANNEL_VOICE};
  }
}

// What the record is about, for the trace.
std::string Describe(const Topics& topics, const IncomingRecord& record) {
  records::v1::Event event;
  records::v1::WebhookRecord webhook;
  records::v1::WorkRecord work;
  const std::string& topic = record.position.topic();
  if (topic == topics.Events() && event.ParseFromString(record.value))
    return AttemptText(event.attempt()) + " " +
           v1::AttemptStatus_Name(event.attempt_changed().status());
  if (topic == topics.Webhooks() && webhook.ParseFromString(record.value))
    return AttemptText(webhook.attempt()) + " " + v1::AttemptStatus_Name(webhook.status());
  if (topic == topics.Consents() || !work.ParseFromString(record.value)) return {};
  return AttemptText(work.attempt()) + " " + records::v1::WorkKind_Name(work.kind());
}

}  // namespace

// --- Run ----------------------------------------------------------------------------------------

Simulation::Simulation(std::uint64_t seed, Bug planted)
    : dice(seed),
      plan_dice(seed ^ kPlanSeed),
      bug(planted),
      channels(DrawChannels(dice)),
      with_plans(plan_dice.Chance(channels.size() > 1 ? kPlansOfTwoChannels : kPlansOfOneChannel)) {
  faults = Faults::Draw(dice);
  telephone = Telephone::Draw(dice);
  if (bug == Bug::kNoFence) {  // what it guards against is rare: late releases
    faults.crash = faults.publish_lost = 0.05;
    faults.timed_out = faults.enqueue_repeated = 0.5;
    faults.store_late = 1;
  }
  if (bug == Bug::kMarkIgnored || bug == Bug::kAcknowledgementNotStored)
    faults.store_silent = 0.5;  // the mark is synced late
  if (bug == Bug::kLogNotRead || bug == Bug::kEarlierStartsNotRead || bug == Bug::kEndIsCertain)
    faults.store_replaced = 1;
  if (bug == Bug::kEndIsCertain) faults.crash = 0.05;  // before the store returns
  store.ends_are_certain = bug == Bug::kEndIsCertain;
  store.missed_goals_stop = bug != Bug::kDeadlineIgnored;
  checker.completed_overrides_acknowledgement = bug == Bug::kCompletedOverridesAcknowledgement;
  faults_until = timeline.Now() + dice.Between(60s, 600s);
  registry = RegistryOf(dice.Chance(0.3) ? 1 : 100);
  ingress = std::make_unique<Ingress>(*this);
  for (const v1::Channel channel : channels) {
    for (const std::string& lane : topics.Lanes(channel)) Subscribe(lane, channel);
    Subscribe(topics.Webhooks(), channel);
    Subscribe(topics.Events(), channel);
  }
  for (const bool emergency : {true, false})
    for (const std::string& topic : topics.Delays(emergency))
      Subscribe(topic, v1::CHANNEL_UNSPECIFIED);
  broker.on_append = [this](const Partition& partition, const IncomingRecord& record) {
    OnAppend(partition, record);
  };
}

// A run that violates an invariant ends while requests are in progress.
Simulation::~Simulation() { timeline.Close(); }

void Simulation::Subscribe(const std::string& topic, v1::Channel group) {
  for (std::int32_t i = 0; i < Broker::kPartitions; ++i) {
    Partition& partition = broker.At({topic, i});
    subscriptions_.push_back({subscriptions_.size(), {topic, i}, group, partition});
    partition.subscriptions.push_back(&subscriptions_.back());
  }
}

void Simulation::OnAppend(const Partition& partition, const IncomingRecord& record) {
  if (timeline.Tracing())
    timeline.Trace(fmt::format("{}/{}/{} {}", record.position.topic(), record.position.partition(),
                               record.position.offset(), Describe(topics, record)));
  checker.Appended(record);
  const bool consent = record.position.topic() == topics.Consents();
  for (const auto& process : processes_) {
    if (!process) continue;
    if (consent)
      process->Later(kConsentLatency, [&reader = *process, record] { reader.ReadConsent(record); });
    for (const Subscription* subscription : partition.subscriptions)
      if (process->IsAssigned(*subscription)) process->SchedulePoll(*subscription);
  }
}

void Simulation::Run() {
  processes_.resize(1 + dice.Below(3));
  for (size_t i = 0; i < processes_.size(); ++i) Start(i);
  const std::uint64_t alerts = 1 + dice.Below(5);
  for (std::uint64_t i = 0; i < alerts; ++i) ScheduleAlert();
  if (dice.Chance(faults.store_replaced)) ScheduleStoreReplacement();
  while (!checker.Violated() && timeline.Step())
    if (timeline.Steps() > kMaxSteps) return checker.Violate("the run does not end");
  if (!checker.Violated()) checker.CheckFinalState(subscriptions_, dice);
}

records::v1::WorkRecord Simulation::AnAlert() {
  const WallTime now = timeline.Now();
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id(NewId());
  work.mutable_attempt()->set_step(1);
  work.mutable_attempt()->set_attempt(1);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_client_id(kClient);
  const bool emergency = dice.Chance(0.25);
  work.set_priority(emergency          ? v1::PRIORITY_EMERGENCY
                    : dice.Chance(0.5) ? v1::PRIORITY_NORMAL
                                       : v1::PRIORITY_BULK);
  work.set_channel(channels[dice.Below(channels.size())]);
  work.set_create_time_us(ToUnixMicros(now));
  work.set_first_publish_time_us(ToUnixMicros(now));
  work.set_expire_time_us(ToUnixMicros(now + dice.Between(30s, 3600s)));
  if (dice.Chance(0.3)) work.set_send_time_us(ToUnixMicros(now + dice.Between(0s, 900s)));
  *work.mutable_recipient() = SomeRecipient();
  if (work.channel() == v1::CHANNEL_VOICE) {
    work.mutable_voice()->set_machine_detection(dice.Chance(0.7));
    work.mutable_retry_budget()->set_calls_placed(1);
  } else {
    work.set_segment_count(1 + static_cast<std::int32_t>(dice.Below(3)));
  }
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

std::string Simulation::NewId() {
  std::string random;
  for (int i = 0; i < 10; ++i) random.push_back(static_cast<char>(dice.Below(256)));
  return NewAlertId(timeline.Now(), random);
}

records::v1::WorkRecord Simulation::APlannedAlert() {
  const WallTime now = timeline.Now();
  const v1::EnqueueRequest request = DrawPlannedAlert(plan_dice, channels, now);
  return FirstWorkOf(request, NewId(), 1 + static_cast<std::int32_t>(plan_dice.Below(5)), *registry,
                     vault, now);
}

void Simulation::ScheduleAlert() {
  timeline.After(dice.Between(0s, 60s), [this] {
    const records::v1::WorkRecord work =
        with_plans && plan_dice.Chance(kPlans) ? APlannedAlert() : AnAlert();
    const OutgoingRecord record =
        MakeAcceptanceRecord(topics.Lane(work.channel(), work.priority()), work, "");
    checker.Enqueued(work);
    timeline.Trace(work.attempt().alert_id() + " is accepted");
    broker.Append(record);
    if (Occurs(faults.enqueue_repeated))
      timeline.After(dice.Between(0s, 60s), [this, record] { broker.Append(record); });
    work.has_plan() ? SchedulePlanActions(work) : ScheduleActions(work);
  });
}

void Simulation::ScheduleActions(const records::v1::WorkRecord& work) {
  const std::string& alert_id = work.attempt().alert_id();
  const bool call = work.channel() == v1::CHANNEL_VOICE;
  const Micros latest_action = call && dice.Chance(0.5) ? kLatestAction : kSoonAction;
  if (dice.Chance(0.25))
    timeline.After(dice.Between(0s, dice.Chance(0.5) ? kAtOnce : latest_action),
                   [this, alert_id] { ingress->Cancel(alert_id); });
  if (call && dice.Chance(0.15))
    timeline.After(dice.Between(0s, latest_action),
                   [this, alert_id] { ingress->Acknowledge(alert_id, "ann"); });
}

// Persons acknowledge by the API: named by another actor, or as the actor. Some do so around the
// deadline.
void Simulation::SchedulePlanActions(const records::v1::WorkRecord& work) {
  const std::string& alert_id = work.attempt().alert_id();
  const Micros latest = plan_dice.Chance(0.5) ? kLatestAction : kSoonAction;
  const WallTime end =
      FromUnixMicros(work.plan().goal().deadline_us() != 0 ? work.plan().goal().deadline_us()
                                                           : work.expire_time_us());
  const auto draw_delay = [&] {
    if (plan_dice.Chance(0.7))
      return plan_dice.Between(0s, plan_dice.Chance(0.3) ? kAtOnce : latest);
    const Micros until_end = std::chrono::duration_cast<Micros>(end - timeline.Now());
    return plan_dice.Between(std::max(until_end - kAroundDeadline, Micros(0)),
                             until_end + kAroundDeadline);
  };
  if (plan_dice.Chance(0.15))
    timeline.After(draw_delay(), [this, alert_id] { ingress->Cancel(alert_id); });
  if (plan_dice.Chance(0.4)) return;
  const std::uint64_t count = 1 + plan_dice.Below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string& person = kPersons[plan_dice.Below(kPersons.size())];
    const bool named_by_other = plan_dice.Chance(0.6);
    const std::string named = named_by_other ? person : std::string();
    const std::string actor = named_by_other ? "ann" : plan_dice.Chance(0.5) ? person : "ops";
    timeline.After(draw_delay(), [this, alert_id, actor, named] {
      ingress->Acknowledge(alert_id, actor, named);
    });
  }
}

// A fail-over to an empty replica, reverted later. It can concern the workers only.
void Simulation::ScheduleStoreReplacement() {
  ingress_keeps_store = dice.Chance(0.5);
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
                          topics.IsLaneOf(v1::CHANNEL_SMS, record.topic) ||
                          topics.IsLaneOf(v1::CHANNEL_VOICE, record.topic);
  if (bug == Bug::kDeadlineIgnored) return RestoreDeadline(record);
  const bool planted = bug == Bug::kRetryKeepsNumber || bug == Bug::kCallsNotCounted ||
                       bug == Bug::kCallRepeatedAtOnce;
  records::v1::WorkRecord work;
  if (!planted || !work_topic || !work.ParseFromString(record.value) ||
      work.attempt().attempt() < 2)
    return;
  if (bug == Bug::kRetryKeepsNumber)
    work.mutable_attempt()->set_attempt(work.attempt().attempt() - 1);
  if (bug == Bug::kCallsNotCounted) work.mutable_retry_budget()->set_calls_placed(1);
  if (bug == Bug::kCallRepeatedAtOnce && work.retry_budget().calls_placed() > 1)
    work.clear_due_time_us();
  record.value = work.SerializeAsString();
}

// With this bug, only the attempt itself has a later deadline.
void Simulation::RestoreDeadline(OutgoingRecord& record) const {
  records::v1::WorkRecord work;
  if (record.topic == topics.Events() || !work.ParseFromString(record.value) ||
      work.plan().goal().deadline_us() == 0)
    return;
  const std::int64_t deadline_us = checker.plans.DeadlineUsOf(work.attempt().alert_id());
  work.mutable_plan()->mutable_goal()->set_deadline_us(deadline_us);
  if (work.kind() == records::v1::WORK_KIND_DEADLINE)
    work.set_due_time_us(std::max(deadline_us, ToUnixMicros(timeline.Now())));
  record.value = work.SerializeAsString();
}

bool Simulation::IsLostByBug(const OutgoingRecord& record) const {
  if (bug != Bug::kDeadlineNotPublished && bug != Bug::kNextStepNotPublished) return false;
  records::v1::WorkRecord work;
  if (record.topic == topics.Events() || record.topic == topics.Webhooks() ||
      !work.ParseFromString(record.value) || !work.has_plan())
    return false;
  const bool deadline = work.kind() == records::v1::WORK_KIND_DEADLINE;
  return bug == Bug::kDeadlineNotPublished ? deadline : !deadline && work.attempt().step() > 1;
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
  for (size_t i = 0; i < subscriptions_.size(); ++i) {
    Subscription& subscription = subscriptions_[i];
    Process* const owner = members[i % members.size()];
    for (const auto& process : processes_)
      if (process && process.get() != owner && process->IsAssigned(subscription))
        process->Revoke(subscription, process->Frozen());
    if (!owner->IsAssigned(subscription)) owner->Assign(subscription);
  }
}

Outcome RunSeed(std::uint64_t seed, Bug bug, bool trace) {
  Simulation simulation(seed, bug);
  if (trace) simulation.timeline.EnableTrace();
  simulation.Run();
  simulation.checker.counts.steps = simulation.timeline.Steps();
  simulation.checker.counts.plans = simulation.checker.plans.counts;
  return {simulation.checker.Violations(), simulation.timeline.TraceLines(),
          simulation.checker.counts};
}

}  // namespace tocsin::model
