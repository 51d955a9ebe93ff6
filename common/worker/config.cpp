#include "common/worker/config.h"

namespace tocsin::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLeaseBeyondPost{5'000};  // for the store, the log and the clock's grain

void ReadDoubt(config::Reader& reader, DoubtSchedule& doubt) {
  const auto limit = [&](const char* name, const char* what, milliseconds otherwise) {
    return reader.Duration(name, what, milliseconds(10), milliseconds(600'000)).Default(otherwise);
  };
  doubt.first_look =
      limit("TOCSIN_DOUBT_FIRST_LOOK", "from the begin of a doubt to the first look into it",
            milliseconds(1'000));
  doubt.emergency_limit =
      limit("TOCSIN_DOUBT_EMERGENCY_LIMIT", "after it an emergency in doubt is sent again",
            milliseconds(15'000));
  doubt.other_limit =
      limit("TOCSIN_DOUBT_LIMIT", "after it any other doubt ends as its policy says",
            milliseconds(75'000));
}

void ReadCalls(config::Reader& reader, CallRetryPolicy& calls) {
  const auto wait = [&](const char* name, const char* what, Micros otherwise) {
    return reader.Duration(name, what, milliseconds(1), milliseconds(86'400'000))
        .Default(std::chrono::duration_cast<milliseconds>(otherwise));
  };
  calls.busy = wait("TOCSIN_VOICE_RETRY_BUSY",
                    "from a busy line to the next call; read by the voice worker", calls.busy);
  calls.no_answer =
      wait("TOCSIN_VOICE_RETRY_NO_ANSWER",
           "from a call that nobody took to the next; read by the voice worker", calls.no_answer);
  calls.failed =
      wait("TOCSIN_VOICE_RETRY_FAILED",
           "from a call that failed to the next; read by the voice worker", calls.failed);
  calls.machine =
      wait("TOCSIN_VOICE_RETRY_MACHINE",
           "from a call that a machine took to the next; read by the voice worker", calls.machine);
  calls.calls = static_cast<unsigned>(
      reader
          .Integer("TOCSIN_VOICE_CALLS",
                   "calls placed until somebody is reached, at most; read by the voice worker", 1,
                   100)
          .Default(static_cast<int>(calls.calls)));
}

void ReadReconciliation(config::Reader& reader, ReconciliationSettings& reconciliation) {
  ReconcileSchedule& schedule = reconciliation.schedule;
  schedule.first_look = reader
                            .Duration("TOCSIN_RECONCILE_FIRST_LOOK",
                                      "from Twilio's yes to the first look for an end and a price",
                                      milliseconds(10), milliseconds(86'400'000))
                            .Default(milliseconds(600'000));
  schedule.grace = reader
                       .Duration("TOCSIN_RECONCILE_GRACE",
                                 "after its validity a try without an end is SENT_UNCONFIRMED",
                                 milliseconds(10), milliseconds(86'400'000))
                       .Default(milliseconds(3'600'000));
  reconciliation.questions_per_second = static_cast<double>(
      reader.Integer("TOCSIN_RECONCILE_RATE", "looks into Twilio's books a second, at most", 1, 100)
          .Default(10));
}

}  // namespace

Config Config::Read(config::Reader& reader, const std::string& program,
                    const std::string& ops_setting) {
  Config config;
  config.base = service::ReadBase(reader, program, ops_setting);
  config.redis = service::ReadRedis(reader, config.base.kafka.prefix);
  config.redis.waits_for_rebuild = true;
  config.twilio_base_url =
      reader.Url("TOCSIN_TWILIO_BASE_URL", "Twilio's REST API, or a stand-in", {"https", "http"})
          .Default("https://api.twilio.com");
  config.public_base_url =
      reader.Url("TOCSIN_PUBLIC_BASE_URL", "how Twilio reaches the ingress", {"https", "http"})
          .Alias("TWILIO_WEBHOOK_BASE_URL")
          .Required();
  config.connect_limit = reader
                             .Duration("TOCSIN_TWILIO_CONNECT_LIMIT", "to reach Twilio",
                                       milliseconds(10), milliseconds(30'000))
                             .Default(config.connect_limit);
  const milliseconds post_limit = reader
                                      .Duration("TOCSIN_TWILIO_POST_LIMIT", "one POST, at most",
                                                milliseconds(100), milliseconds(120'000))
                                      .Default(milliseconds(30'000));
  const milliseconds lease =
      reader
          .Duration("TOCSIN_LEASE", "a claim; longer than the POST limit by what is around it",
                    milliseconds(200), milliseconds(240'000))
          .Default(post_limit + kLeaseBeyondPost);
  if (lease <= post_limit)
    reader.AddFault("TOCSIN_LEASE", "is not longer than TOCSIN_TWILIO_POST_LIMIT",
                    "leave it out, or make it longer by 5s");
  config.delivery.owner = config.base.instance;
  config.delivery.post_limit = post_limit;
  config.delivery.lease = lease;
  config.delivery.retry.backoff.base =
      reader
          .Duration("TOCSIN_RETRY_BASE", "first wait before a retry", milliseconds(1),
                    milliseconds(600'000))
          .Default(milliseconds(2'000));
  config.delivery.retry.backoff.cap =
      reader
          .Duration("TOCSIN_RETRY_CAP", "longest wait before a retry", milliseconds(1),
                    milliseconds(86'400'000))
          .Default(milliseconds(900'000));
  config.delivery.retry.delivery.base =
      reader
          .Duration("TOCSIN_DELIVERY_RETRY_BASE",
                    "first wait before a retry of what the carrier took and could not deliver",
                    milliseconds(1), milliseconds(3'600'000))
          .Default(milliseconds(60'000));
  ReadDoubt(reader, config.delivery.retry.doubt);
  ReadCalls(reader, config.delivery.retry.calls);
  ReadReconciliation(reader, config.reconciliation);
  config.ring = std::chrono::duration_cast<std::chrono::seconds>(
      reader
          .Duration("TOCSIN_VOICE_RING", "a call rings at most; read by the voice worker",
                    milliseconds(5'000), milliseconds(600'000))
          .Default(milliseconds(30'000)));
  config.pool.senders = static_cast<size_t>(
      reader.Integer("TOCSIN_SENDERS", "POSTs in flight at most", 2, 4096).Default(100));
  config.pool.kept_for_emergency = static_cast<size_t>(
      reader.Integer("TOCSIN_SENDERS_EMERGENCY", "of them kept for emergencies", 1, 4095)
          .Default(10));
  if (config.pool.kept_for_emergency >= config.pool.senders)
    reader.AddFault("TOCSIN_SENDERS_EMERGENCY", "leaves no sender for other classes",
                    "keep it below TOCSIN_SENDERS");
  config.pool.lane_capacity = static_cast<size_t>(
      reader.Integer("TOCSIN_LANE_CAPACITY", "records waiting in a lane", 1, 100'000)
          .Default(1000));
  return config;
}

}  // namespace tocsin::worker
