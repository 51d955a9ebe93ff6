#include "tests/model/ingress.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/domain/delivery/cancel_outcome.h"
#include "common/twilio/webhooks/signature.h"
#include "tests/fakes/await.h"
#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr Micros kMinLatency = 200us;
constexpr Micros kMaxLatency = 3ms;
constexpr Micros kStoreTimeout = 1s;
constexpr Micros kMinReading = 50ms;  // of the log
constexpr Micros kMaxReading = 500ms;
constexpr Micros kRepeatDelay = 5s;

}  // namespace

// --- Marks --------------------------------------------------------------------------------------

void MarkPort::Admit(AdmitRequest, std::function<void(Result<Admission>)>) { std::abort(); }
void MarkPort::Confirm(const std::string&, const records::v1::Position&, std::function<void()>) {
  std::abort();
}
void MarkPort::Withdraw(const std::string&, const std::string&, const std::string&) {
  std::abort();
}

void MarkPort::FindAckCode(FindAckCodeRequest, std::function<void(Result<AckCodeMatches>)>) {
  std::abort();
}

void MarkPort::Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) {
  const Micros latency = simulation_.dice.Between(kMinLatency, kMaxLatency);
  host_.Later(latency, [this, latency, request = std::move(request), done = std::move(done)] {
    const bool silent = simulation_.Occurs(simulation_.faults.store_silent);
    if (simulation_.IngressHasStore() && !silent)
      return host_.Later(latency, [marked = Apply(request), done] { done(marked); });
    if (simulation_.IngressHasStore() && simulation_.dice.Chance(0.5)) Apply(request);
    host_.Later(kStoreTimeout,
                [done] { done(Fail(ErrorCode::kRedisUnavailable, "the store does not respond")); });
  });
}

MarkResult MarkPort::Apply(const MarkRequest& request) {
  MarkRequest applied = request;
  if (simulation_.bug == Bug::kQuorumCountsPresses && !request.person.empty())
    applied.person += '/' + std::to_string(++presses_);
  KnownMark mark{.actor_id = request.actor_id, .step = request.step, .person = request.person};
  std::string word = " is cancelled";
  if (request.mark == MarkRequest::Mark::kAcknowledged) {
    mark.kind = KnownMark::Kind::kAcknowledged;
    word = " is acknowledged";
  } else if (request.mark == MarkRequest::Mark::kDeclined) {
    mark.kind = KnownMark::Kind::kDeclined;
    word = " is declined";
  }
  const bool stored = simulation_.bug != (mark.kind == KnownMark::Kind::kCancelled
                                              ? Bug::kMarkIgnored
                                              : Bug::kAcknowledgementNotStored);
  const bool refused = request.unless_cancelled && simulation_.store.IsCancelled(request.alert_id);
  MarkResult marked = (stored ? simulation_.store : simulation_.other_store).Mark(applied);
  if (!refused) {
    simulation_.timeline.Trace(request.alert_id + word +
                               (request.person.empty() ? "" : " by " + request.person));
    simulation_.checker.Marked(request.alert_id, mark);
  }
  marked.may_be_emergency = true;  // the model does not store the priority
  return marked;
}

// --- Work records -------------------------------------------------------------------------------

// As ingress::WorkFinder, which has threads.
void WorkPort::Find(const v1::AttemptRef& attempt, const records::v1::Position& position,
                    std::function<void(Result<records::v1::WorkRecord>)> done) {
  const bool stored =
      simulation_.IngressHasStore() && !simulation_.Occurs(simulation_.faults.store_silent);
  const Micros latency = simulation_.dice.Between(kMinLatency, kMaxLatency);
  host_.Later(stored ? latency : kStoreTimeout, [this, stored, attempt, position,
                                                 done = std::move(done)] {
    const auto parse = [&](const std::string& bytes) {
      records::v1::WorkRecord work;
      const bool found =
          work.ParseFromString(bytes) && AttemptText(work.attempt()) == AttemptText(attempt);
      return found ? std::optional(work) : std::nullopt;
    };
    if (stored)
      if (const auto bytes = Await(simulation_.store.FindWork(attempt)); bytes && *bytes)
        if (auto work = parse(**bytes)) return done(*std::move(work));
    const auto& records = simulation_.broker.At({position.topic(), position.partition()}).records;
    const auto offset = static_cast<size_t>(position.offset());
    if (offset < records.size())
      if (auto work = parse(records[offset].value)) return done(*std::move(work));
    done(Fail(ErrorCode::kNotFound, "work record not found"));
  });
}

// --- Starts before a cancellation ---------------------------------------------------------------

void StartPort::Run(const std::string& alert_id, const records::v1::Position& cancellation,
                    WallTime, std::function<void(Result<v1::CancelOutcome>)> done) {
  const Micros latency = simulation_.dice.Between(kMinReading, kMaxReading);
  host_.Later(latency, [this, alert_id, cancellation, done = std::move(done)] {
    StartsBeforeCancel starts;
    const auto& records =
        simulation_.broker.At({cancellation.topic(), cancellation.partition()}).records;
    if (simulation_.bug != Bug::kEarlierStartsNotRead)
      for (const IncomingRecord& record : records) {
        records::v1::Event event;
        if (record.position.offset() <= cancellation.offset() && record.key == alert_id &&
            event.ParseFromString(record.value))
          starts.Apply(event);
      }
    done(starts.outcome());
  });
}

// --- Ingress ------------------------------------------------------------------------------------

Ingress::Ingress(Simulation& simulation)
    : simulation_(simulation),
      registry_(simulation.registry),
      log_(simulation, *this, LogPort::Publisher::kIngress),
      marks_(simulation, *this),
      works_(simulation, *this),
      start_check_(simulation, *this),
      alert_actions_({simulation.timeline, registry_, marks_, simulation.vault, log_,
                      simulation.topics, start_check_},
                     {.allow_pii_like_metadata = true}),
      webhooks_({simulation.timeline, registry_, simulation.vault, log_, simulation.topics, works_,
                 alert_actions_},
                kPublicUrl, {}) {}

void Ingress::Post(const std::string& url, const FormFields& fields,
                   std::function<void(http::Response)> respond) {
  if (simulation_.bug == Bug::kCallbackIgnored)
    return Later(0us, [respond] { respond({.status = 204}); });
  FormFields sent = fields;
  if (simulation_.bug == Bug::kEveryKeyAcknowledges)
    for (auto& [name, value] : sent)
      if (name == "Digits") value = "1";
  const std::string signed_url = url.substr(0, url.find('#'));
  const Account& account = simulation_.registry->All().accounts.front();
  webhooks_.Handle(
      {.method = "POST",
       .target = signed_url.substr(std::string_view(kPublicUrl).size()),
       .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                   {"X-Twilio-Signature", twilio::Sign(account.auth_token, signed_url, sent)}},
       .body = FormEncode(sent)},
      http::Responder(std::move(respond)));
}

void Ingress::Cancel(const std::string& alert_id, int repeats) {
  v1::CancelRequest request;
  request.set_alert_id(alert_id);
  simulation_.checker.CancelRequested(alert_id);
  alert_actions_.Cancel(
      kClient, request, "", [this, alert_id, repeats](const Result<v1::CancelResponse>& response) {
        if (response) return simulation_.checker.Cancelled(alert_id, response->outcome());
        if (repeats > 0)
          Later(kRepeatDelay, [this, alert_id, repeats] { Cancel(alert_id, repeats - 1); });
      });
}

void Ingress::Acknowledge(const std::string& alert_id, const std::string& actor,
                          const std::string& person, int repeats) {
  v1::AcknowledgeRequest request;
  request.set_alert_id(alert_id);
  request.set_actor_id(actor);
  request.set_person(person);
  const std::string& who = person.empty() ? actor : person;
  simulation_.checker.AcknowledgementRequested(alert_id, who);
  alert_actions_.Acknowledge(kClient, request, "",
                             [this, alert_id, actor, person, who,
                              repeats](const Result<v1::AcknowledgeResponse>& response) {
                               if (response)
                                 return simulation_.checker.Acknowledged(alert_id, who,
                                                                         /*stored=*/true);
                               if (repeats > 0)
                                 Later(kRepeatDelay, [this, alert_id, actor, person, repeats] {
                                   Acknowledge(alert_id, actor, person, repeats - 1);
                                 });
                             });
}

Task<void> Ingress::Sleep(Micros time) {
  const auto start = [&](const Callback<bool>& done) { Later(time, [done] { done(true); }); };
  co_await AwaitCallback<bool>(start);
}

void Ingress::Later(Micros delay, std::function<void()> event) {
  simulation_.timeline.After(delay, std::move(event));
}

}  // namespace tocsin::model
