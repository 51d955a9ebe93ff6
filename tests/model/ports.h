// The ports of a simulated process. Each use takes virtual time, may fail, and may crash the
// process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/async/task.h"
#include "common/ports/alert_history.h"
#include "common/ports/call_ender.h"
#include "common/ports/claims.h"
#include "common/ports/provider.h"
#include "common/ports/provider_list.h"
#include "common/ports/record_log.h"
#include "tests/fakes/claims.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

struct Simulation;

// The process a port belongs to.
class Host {
 public:
  virtual ~Host() = default;
  virtual Task<void> Sleep(Micros time) = 0;  // longer when the process is frozen
  virtual Task<void> MayFail() = 0;           // the process may crash or freeze here
  virtual bool Crashes() = 0;                 // the same without waiting; true if it has crashed
  // Calls `event` unless the process has crashed by then; later when it is frozen.
  virtual void Later(Micros delay, std::function<void()> event) = 0;
};

class LogPort final : public RecordLog {
 public:
  enum class Publisher { kPipeline, kDelayQueue, kIngress };  // determines its planted bugs
  LogPort(Simulation& simulation, Host& host, Publisher publisher)
      : simulation_(simulation), host_(host), publisher_(publisher) {}

  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

 private:
  struct Fate {
    bool written;
    PublishReport report;
    Micros duration;
  };
  Fate Draw();
  bool AwaitsReport() const;  // false with a planted bug

  Simulation& simulation_;
  Host& host_;
  const Publisher publisher_;
};

class ClaimsPort final : public Claims, public Pacer {
 public:
  ClaimsPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}

  Task<Result<ClaimReply>> Claim(const ClaimRequest& request) override;
  Task<Status> Release(const v1::AttemptRef& attempt, std::uint64_t fence) override;
  Task<Result<std::optional<records::v1::AttemptResult>>> SaveResult(
      const v1::AttemptRef& attempt, std::uint64_t fence,
      const records::v1::AttemptResult& result) override;
  Task<Result<std::optional<records::v1::AttemptResult>>> Resolve(
      const ResolveRequest& request) override;
  Task<Status> Sync(const KnownAttempt& known) override;
  Task<Result<std::optional<std::string>>> FindWork(const v1::AttemptRef& attempt) override;
  Task<Result<std::optional<WallTime>>> NoteUndelivered(const v1::AttemptRef& attempt,
                                                        std::optional<WallTime> time) override;
  Task<Result<std::optional<WallTime>>> NoteTargetFailed(
      const v1::AttemptRef& attempt, const std::vector<std::int32_t>& last_targets,
      WallTime time) override;
  Task<Result<PlanEnd>> EndPlan(const v1::AttemptRef& attempt, const PlanCondition& plan,
                                WallTime deadline) override;
  Task<Result<std::vector<records::v1::AttemptResult>>> FindCallsToEnd(
      const std::string& alert_id) override;
  Task<Status> Ping() override;
  WallTime CompleteSince() const override { return WallTime::min(); }
  Task<Result<WallTime>> Reserve(const std::string& key, double units_per_second,
                                 std::int32_t units, WallTime latest) override;

 private:
  FakeClaims* Store();  // nullptr: the store was replaced
  bool GrantsByBug(const ClaimReply& claim) const;
  Micros StoreLatency();
  template <typename Apply>
  auto Request(Apply apply, bool may_repeat) -> decltype(apply(std::declval<FakeClaims&>()));

  Simulation& simulation_;
  Host& host_;
};

class ProviderPort final : public Provider, public ProviderList, public CallEnder {
 public:
  ProviderPort(Simulation& simulation, Host& host, v1::Channel channel)
      : simulation_(simulation), host_(host), channel_(channel) {}
  Task<records::v1::AttemptResult> Send(const Dispatch& dispatch, SteadyTime deadline) override;
  Task<Result<std::vector<ProviderListEntry>>> List(const ProviderListQuery& query,
                                                    SteadyTime deadline) override;
  Task<Result<bool>> ShowsRecipients(const Account& account, SteadyTime deadline) override;
  Task<Status> EndUnanswered(const Account& account, const std::string& sid,
                             SteadyTime deadline) override;

 private:
  records::v1::AttemptResult InDoubt(const Dispatch& dispatch, bool accepted);

  Simulation& simulation_;
  Host& host_;
  const v1::Channel channel_;
};

// Reads the simulated broker.
class HistoryPort final : public AlertHistory {
 public:
  HistoryPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}
  Task<Result<std::vector<IncomingRecord>>> ReadTo(std::string alert_id, records::v1::Position last,
                                                   WallTime from, SteadyTime deadline) override;
  Task<Result<std::vector<IncomingRecord>>> ReadAll(std::string alert_id, std::string topic,
                                                    WallTime from, SteadyTime deadline) override;
  Task<Result<std::optional<IncomingRecord>>> At(records::v1::Position position) override;

 private:
  Simulation& simulation_;
  Host& host_;
};

// The clock of the delay queue: ahead if that is the planted bug.
class DelayQueueClock final : public Clock {
 public:
  DelayQueueClock(const Clock& clock, Micros ahead) : clock_(clock), ahead_(ahead) {}
  WallTime Now() const override { return clock_.Now() + ahead_; }
  SteadyTime SteadyNow() const override { return clock_.SteadyNow(); }

 private:
  const Clock& clock_;
  const Micros ahead_;
};

}  // namespace tocsin::model
