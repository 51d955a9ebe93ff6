// The ports of a simulated process. Each use takes virtual time, may fail, and may crash the
// process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/ports/claims.h"
#include "common/ports/provider.h"
#include "common/ports/provider_list.h"
#include "common/ports/record_history.h"
#include "common/ports/record_log.h"
#include "tests/fakes/claims.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

struct Simulation;

// The process a port belongs to.
class Host {
 public:
  virtual ~Host() = default;
  virtual void Sleep(Micros time) = 0;  // in a fiber only; longer when the process is frozen
  virtual void MayFail() = 0;           // the process may crash or freeze here
  virtual void Later(Micros delay, std::function<void()> event) = 0;  // unless it has crashed
};

class LogPort final : public RecordLog {
 public:
  LogPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}

  // Within a fiber it calls `report` before it returns, otherwise later.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

  // The process crashed: pending reports are unknown.
  void Abandon();

 private:
  struct Fate {
    bool written;
    PublishReport report;
    Micros duration;
  };
  Fate Draw();
  void PublishLater(OutgoingRecord record, std::function<void(const PublishReport&)> report);

  Simulation& simulation_;
  Host& host_;
  std::uint64_t number_ = 0;
  std::map<std::uint64_t, std::function<void(const PublishReport&)>> pending_;
};

class ClaimsPort final : public Claims, public Pacer {
 public:
  ClaimsPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}

  Result<ClaimReply> Claim(const ClaimRequest& request) override;
  Status Release(const v1::AttemptRef& attempt, std::uint64_t fence) override;
  Result<std::optional<records::v1::AttemptResult>> SaveResult(
      const v1::AttemptRef& attempt, std::uint64_t fence,
      const records::v1::AttemptResult& result) override;
  Result<std::optional<records::v1::AttemptResult>> Resolve(const ResolveRequest& request) override;
  Status Sync(const KnownAttempt& known) override;
  Result<std::optional<std::string>> FindWork(const v1::AttemptRef& attempt) override;
  WallTime CompleteSince() const override { return WallTime::min(); }
  Result<WallTime> Reserve(const std::string& key, double units_per_second, std::int32_t units,
                           WallTime latest) override;

 private:
  FakeClaims* Store();  // nullptr: the store was replaced
  template <typename Apply>
  auto Request(Apply apply, bool may_repeat) -> decltype(apply(std::declval<FakeClaims&>()));

  Simulation& simulation_;
  Host& host_;
};

class ProviderPort final : public Provider, public ProviderList {
 public:
  ProviderPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}
  records::v1::AttemptResult Send(const Dispatch& dispatch, SteadyTime deadline) override;
  Result<std::vector<ProviderListEntry>> List(const ProviderListQuery& query,
                                              SteadyTime deadline) override;
  Result<bool> ShowsRecipients(const Account& account, SteadyTime deadline) override;

 private:
  records::v1::AttemptResult InDoubt(const Dispatch& dispatch, bool accepted);

  Simulation& simulation_;
  Host& host_;
};

// Reads the simulated broker.
class HistoryPort final : public RecordHistory {
 public:
  HistoryPort(Simulation& simulation, Host& host) : simulation_(simulation), host_(host) {}
  Status Read(const std::vector<std::string>& topics, WallTime from, const Handle& handle,
              std::stop_token stop) override;
  Status ReadTo(const records::v1::Position& last, WallTime from, SteadyTime deadline,
                const Handle& handle) override;
  Status ReadKey(const std::string& topic, const std::string& key, WallTime from,
                 SteadyTime deadline, const Handle& handle) override;
  Result<std::optional<IncomingRecord>> At(const records::v1::Position& position) override;

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
