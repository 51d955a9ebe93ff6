// The ports of a simulated process: each call takes virtual time and may fail, or be the last.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/ports/carrier.h"
#include "common/ports/claims.h"
#include "common/ports/record_history.h"
#include "common/ports/record_log.h"
#include "common/ports/taken_list.h"
#include "tests/fakes/claims.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

struct World;

// The process a port belongs to.
class Host {
 public:
  virtual ~Host() = default;
  virtual void Sleep(Micros time) = 0;  // in a fiber only; longer when the process is frozen
  virtual void MayFail() = 0;           // kill -9 and SIGSTOP strike here
  virtual void Later(Micros wait, std::function<void()> event) = 0;  // if it lives by then
};

class LogPort final : public RecordLog {
 public:
  LogPort(World& world, Host& host) : world_(world), host_(host) {}

  // In a fiber it reports before it returns; outside, later.
  void Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) override;

  // The process ends: what it still waits for is not known to it.
  void Abandon();

 private:
  struct Fate {
    bool written;
    PublishReport report;
    Micros takes;
  };
  Fate Draw();
  void PublishLater(OutgoingRecord record, std::function<void(const PublishReport&)> report);

  World& world_;
  Host& host_;
  std::uint64_t number_ = 0;
  std::map<std::uint64_t, std::function<void(const PublishReport&)>> awaited_;
};

class ClaimsPort final : public Claims, public Pacer {
 public:
  ClaimsPort(World& world, Host& host) : world_(world), host_(host) {}

  Result<Claim> Take(const ClaimRequest& request) override;
  Status Release(const v1::TryName& name, std::uint64_t fence) override;
  Result<v1::Receipt> Keep(const v1::TryName& name, std::uint64_t fence,
                           const v1::Receipt& receipt) override;
  Result<std::optional<v1::Receipt>> Settle(const DoubtRequest& request) override;
  Result<std::optional<std::string>> Work(const v1::TryName& name) override;
  Status Learn(const KnownTry& known) override;
  WallTime KnownSince() const override { return WallTime::min(); }
  Result<WallTime> TakeTurn(const std::string& sender, double units_per_second, unsigned segments,
                            WallTime latest) override;

 private:
  FakeClaims* Store();  // nullptr: another store than the one it began with answers
  template <typename Apply>
  auto Ask(Apply apply, bool repeated) -> decltype(apply(std::declval<FakeClaims&>()));

  World& world_;
  Host& host_;
};

class CarrierPort final : public Carrier, public TakenList {
 public:
  CarrierPort(World& world, Host& host) : world_(world), host_(host) {}
  v1::Receipt Send(const Dispatch& dispatch, SteadyTime deadline) override;
  Result<std::vector<TakenEntry>> ListTaken(const TakenQuery& query, SteadyTime deadline) override;

 private:
  v1::Receipt Doubt(const Dispatch& dispatch, bool taken);

  World& world_;
  Host& host_;
};

// The log, read back.
class HistoryPort final : public RecordHistory {
 public:
  HistoryPort(World& world, Host& host) : world_(world), host_(host) {}
  Status Read(const std::vector<std::string>& topics, WallTime from,
              const std::function<void(const IncomingRecord&)>& fold,
              std::stop_token stop) override;
  Status ReadTo(const v1::Position& last, WallTime from, SteadyTime deadline,
                const std::function<void(const IncomingRecord&)>& fold) override;
  Status ReadKey(const std::string& topic, const std::string& key, WallTime from,
                 SteadyTime deadline,
                 const std::function<void(const IncomingRecord&)>& fold) override;
  Result<std::optional<IncomingRecord>> At(const v1::Position& position) override;

 private:
  World& world_;
  Host& host_;
};

// The relay's watch; fast when that is the bug.
class RelayClock final : public Clock {
 public:
  RelayClock(const Clock& right, Micros ahead) : right_(right), ahead_(ahead) {}
  WallTime Now() const override { return right_.Now() + ahead_; }
  SteadyTime SteadyNow() const override { return right_.SteadyNow(); }

 private:
  const Clock& right_;
  const Micros ahead_;
};

}  // namespace tocsin::model
