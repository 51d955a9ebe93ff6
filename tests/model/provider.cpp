#include "tests/model/provider.h"

#include <fmt/format.h>

#include "common/base/trace.h"
#include "common/domain/alert/ids.h"
#include "common/twilio/webhooks/callback_url.h"
#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr Micros kLatestCallback = 10min;
constexpr Micros kSoonCallback = 2s;
constexpr Micros kRetryDelay = 2s;
constexpr Micros kResponseTimeout = 3s;
constexpr const char* kTransientCode = "30003";
constexpr const char* kPermanentCode = "30005";

}  // namespace

std::string SimulatedProvider::Accept(const Dispatch& dispatch, v1::Channel channel) {
  const bool call = channel == v1::CHANNEL_VOICE;
  const std::string sid = fmt::format("{}{:032x}", call ? "CA" : "SM", entries_.size() + 1);
  const WallTime now = simulation_.timeline.Now();
  entries_.push_back({channel,
                      dispatch.to.Reveal(),
                      dispatch.sender.id,
                      {sid, std::chrono::floor<std::chrono::seconds>(now),
                       call ? std::nullopt : std::optional(dispatch.text)}});
  simulation_.checker.Accepted(dispatch.attempt, channel);
  simulation_.timeline.Trace(AttemptText(dispatch.attempt) + " is accepted as " + sid);
  if (call)
    calls_.Place(dispatch, sid);
  else
    SendMessageCallbacks(dispatch, sid);
  return sid;
}

void SimulatedProvider::SendMessageCallbacks(const Dispatch& dispatch, const std::string& sid) {
  const auto token = twilio::AttemptTokenFor(dispatch, v1::CHANNEL_SMS, simulation_.topics,
                                             simulation_.vault, simulation_.timeline.Now());
  if (!token) std::abort();
  const std::string url = twilio::CallbackUrl(kPublicUrl, "/twilio/sms/status/", *token,
                                              TraceContext::Continue(dispatch.traceparent));
  const auto send = [&](const char* word, const char* code, v1::AttemptStatus status) {
    FormFields fields{{"AccountSid", dispatch.account.sid},
                      {"MessageSid", sid},
                      {"MessageStatus", word},
                      {"To", dispatch.to.Reveal()},
                      {"From", dispatch.sender.number}};
    if (code != nullptr) fields.emplace_back("ErrorCode", code);
    SendCallback(url, fields, [this, attempt = dispatch.attempt, status](const auto& response) {
      if (status == v1::ATTEMPT_STATUS_SENT) return;
      simulation_.checker.CalledBack(attempt, response ? std::optional(status) : std::nullopt);
    });
  };
  send("sent", nullptr, v1::ATTEMPT_STATUS_SENT);
  if (!simulation_.Occurs(simulation_.faults.undelivered))
    return send("delivered", nullptr, v1::ATTEMPT_STATUS_DELIVERED);
  send("undelivered", simulation_.dice.Chance(0.5) ? kTransientCode : kPermanentCode,
       v1::ATTEMPT_STATUS_UNDELIVERED);
}

std::vector<ProviderListEntry> SimulatedProvider::List(const ProviderListQuery& query,
                                                       v1::Channel channel, Micros lag) const {
  std::vector<ProviderListEntry> found;
  for (const Entry& listed : entries_) {
    const bool by_sender = listed.sender == query.sender.id;
    if (listed.channel != channel || listed.to != query.to.Reveal() ||
        listed.entry.created < query.from || listed.entry.created > query.until ||
        listed.entry.created + lag > simulation_.timeline.Now() ||
        (channel == v1::CHANNEL_VOICE && !by_sender))
      continue;
    found.push_back(listed.entry);
    found.back().by_sender = by_sender;
  }
  return found;
}

// A response after the timeout counts as none.
void SimulatedProvider::Request(const std::string& url, const FormFields& fields, Respond respond,
                                int retries) {
  const WallTime begin_time = simulation_.timeline.Now();
  simulation_.ingress->Post(
      url, fields, [this, url, fields, respond, retries, begin_time](http::Response response) {
        const bool in_time = simulation_.timeline.Now() - begin_time <= kResponseTimeout &&
                             !simulation_.Occurs(simulation_.faults.response_lost);
        if (in_time && response.status < 300) return respond(std::move(response));
        if (retries == 0) return respond(std::nullopt);
        simulation_.timeline.After(kRetryDelay, [this, url, fields, respond, retries] {
          Request(url, fields, respond, retries - 1);
        });
      });
}

void SimulatedProvider::SendCallback(const std::string& url, const FormFields& fields,
                                     const Respond& respond) {
  if (simulation_.Occurs(simulation_.faults.callback_lost)) return respond(std::nullopt);
  const Micros latest =
      simulation_.Occurs(simulation_.faults.callback_late) ? kLatestCallback : kSoonCallback;
  const int times = simulation_.Occurs(simulation_.faults.callback_doubled) ? 2 : 1;
  for (int i = 0; i < times; ++i)
    simulation_.timeline.After(simulation_.dice.Between(0us, latest),
                               [this, url, fields, respond] { Request(url, fields, respond); });
}

}  // namespace tocsin::model
