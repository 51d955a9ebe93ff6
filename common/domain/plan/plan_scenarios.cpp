#include "common/domain/plan/plan_scenarios.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/domain/plan/plan_progress.h"

namespace tocsin {
namespace {

constexpr size_t kMaxEntries = 1'000;

using ResponseOf =
    std::function<Response(const std::string& person, int contact, v1::Channel channel)>;

class Simulation {
 public:
  Simulation(const records::v1::WorkRecord& work, const ResponseOf& response,
             const CallRetryPolicy& calls, Micros ring)
      : response_(response),
        calls_(calls),
        ring_(ring),
        begin_(FromUnixMicros(work.create_time_us())) {
    Schedule(begin_, work);
  }

  std::vector<ScenarioEntry> Run() && {
    while (!ended_ && !due_.empty() && entries_.size() < kMaxEntries) {
      auto next = due_.extract(due_.begin());
      now_ = next.key();
      const Due& due = next.mapped();
      due.call_ended ? EndCall(due.work) : Process(due.work);
    }
    if (!ended_) Add(0, "", "FAILED: no step is left");
    return std::move(entries_);
  }

 private:
  // A record to process, or a call whose ring timeout is over.
  struct Due {
    records::v1::WorkRecord work;
    bool call_ended = false;
  };

  void Schedule(WallTime due, const records::v1::WorkRecord& work) { due_.emplace(due, Due{work}); }
  void Schedule(const std::vector<records::v1::WorkRecord>& records) {
    for (const records::v1::WorkRecord& record : records)
      Schedule(std::max(FromUnixMicros(record.due_time_us()), now_), record);
  }
  void Add(std::int32_t plan_step, std::string person, std::string text) {
    entries_.push_back({std::chrono::duration_cast<Micros>(now_ - begin_), plan_step,
                        std::move(person), std::move(text)});
  }
  static std::int32_t PlanStepOf(const records::v1::WorkRecord& work) {
    return work.plan().targets(work.attempt().step() - 1).plan_step();
  }
  void End(const std::string& state) {
    Add(0, "", state);
    ended_ = true;
  }
  void EndIfReached(const PlanCondition& plan) {
    const auto reason = progress_.ReachedBy(plan);
    if (reason) End(*reason == kAcknowledgedReason ? "ACKNOWLEDGED" : "DELIVERED");
  }
  void Fail(const records::v1::WorkRecord& work) {
    progress_.Fail(work.attempt().step());
    Schedule(RecordsAfterFailure(work, now_));
  }

  void Process(const records::v1::WorkRecord& work) {
    if (work.kind() == records::v1::WORK_KIND_DEADLINE) return End("NOT_ACKNOWLEDGED");
    const PlanCondition plan = *PlanConditionOf(work);
    if (made_.contains({work.attempt().step(), work.attempt().attempt()})) return;
    if (const Micros left = progress_.TimeLeft(plan, now_); left > Micros(0))
      return Schedule(now_ + left, work);
    made_.emplace(work.attempt().step(), work.attempt().attempt());
    if (progress_.IsDone(plan.person)) {
      Schedule(RecordsOfStep(work, now_));
      return Fail(work);
    }
    Contact(work, plan);
  }

  void Contact(const records::v1::WorkRecord& work, const PlanCondition& plan) {
    if (work.attempt().attempt() == 1) progress_.Start(work.attempt().step(), plan.person, now_);
    Schedule(RecordsAtStart(work, now_));
    const bool call = work.channel() == v1::CHANNEL_VOICE;
    const std::string medium = call ? "call" : "message";
    switch (response_(plan.person, ++contacts_[plan.person], work.channel())) {
      case Response::kUnreachable:
        Add(PlanStepOf(work), plan.person, medium + ", refused by Twilio");
        return Fail(work);
      case Response::kAcknowledge:
        progress_.Acknowledge(plan.person);
        Add(PlanStepOf(work), plan.person, medium + ", acknowledged");
        return EndIfReached(plan);
      case Response::kDecline:
        progress_.Decline(plan.person, work.attempt().step());
        Add(PlanStepOf(work), plan.person, medium + ", declined");
        return Fail(work);
      case Response::kNone: break;
    }
    Add(PlanStepOf(work), plan.person, call ? "call, not answered" : "message, delivered");
    if (call) {
      due_.emplace(now_ + ring_, Due{work, true});
      return;
    }
    progress_.Reach(v1::REACH_DELIVERED);
    EndIfReached(plan);
  }

  void EndCall(const records::v1::WorkRecord& work) {
    const auto next = NextCall(work, v1::ATTEMPT_STATUS_NO_ANSWER, now_, calls_);
    if (!next) return Fail(work);
    Schedule({*next});
  }

  const ResponseOf& response_;
  const CallRetryPolicy calls_;
  const Micros ring_;
  const WallTime begin_;
  WallTime now_{};
  std::multimap<WallTime, Due> due_;
  PlanProgress progress_;
  std::set<std::pair<std::int32_t, std::int32_t>> made_;  // step and attempt
  std::map<std::string, int> contacts_;                   // by person
  std::vector<ScenarioEntry> entries_;
  bool ended_ = false;
};

}  // namespace

std::vector<ScenarioEntry> Simulate(const records::v1::WorkRecord& work, const ResponseOf& response,
                                    const CallRetryPolicy& calls, Micros ring) {
  return Simulation(work, response, calls, ring).Run();
}

std::vector<Scenario> ScenariosOf(const records::v1::WorkRecord& work, const CallRetryPolicy& calls,
                                  Micros ring) {
  std::vector<std::string> persons;  // in the order of the plan
  std::set<std::string> have_calls;
  for (const records::v1::PlannedTarget& target : work.plan().targets()) {
    if (std::ranges::find(persons, target.person()) == persons.end())
      persons.push_back(target.person());
    if (target.channel() == v1::CHANNEL_VOICE) have_calls.insert(target.person());
  }
  std::vector<Scenario> scenarios;
  const auto add = [&](std::string title, const ResponseOf& response) {
    scenarios.push_back({std::move(title), Simulate(work, response, calls, ring)});
  };
  add("Nobody responds", [](auto&, int, v1::Channel) { return Response::kNone; });
  add("Nobody can be reached", [](auto&, int, v1::Channel) { return Response::kUnreachable; });
  for (const std::string& person : persons) {
    add(person + " acknowledges, nobody else responds", [&](auto& who, int, v1::Channel) {
      return who == person ? Response::kAcknowledge : Response::kNone;
    });
    if (!have_calls.contains(person)) continue;
    add(person + " declines, nobody else responds", [&](auto& who, int, v1::Channel channel) {
      const bool declines = who == person && channel == v1::CHANNEL_VOICE;
      return declines ? Response::kDecline : Response::kNone;
    });
  }
  if (persons.size() > 1)
    add("Everybody acknowledges", [](auto&, int, v1::Channel) { return Response::kAcknowledge; });
  return scenarios;
}

}  // namespace tocsin
