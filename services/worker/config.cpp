#include "services/worker/config.h"

namespace tocsin::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLeaseBeyondPost{5'000};  // for the store, the log and clock skew

void ReadInDoubt(config::Reader& reader, InDoubtSchedule& in_doubt) {
  const auto limit = [&](const char* name, const char* what, milliseconds otherwise) {
    return reader.Duration(name, what, milliseconds(10), milliseconds(600'000)).Default(otherwise);
  };
  in_doubt.initial_delay =
      limit("TOCSIN_IN_DOUBT_INITIAL_DELAY",
            "time from the start of an in-doubt state to the first lookup at Twilio",
            milliseconds(1'000));
  in_doubt.emergency_timeout =
      limit("TOCSIN_IN_DOUBT_EMERGENCY_TIMEOUT",
            "time after which an emergency attempt that is still in doubt is resent",
            milliseconds(15'000));
  in_doubt.default_timeout = limit("TOCSIN_IN_DOUBT_TIMEOUT",
                                   "time after which any other attempt that is still in doubt is "
                                   "resolved by its in-doubt policy",
                                   milliseconds(75'000));
  in_doubt.resend_absent =
      reader
          .Choice("TOCSIN_IN_DOUBT_LIST_ABSENCE",
                  "whether an SMS that Twilio's list proves was never received is sent again; "
                  "`ignore` if another program deletes messages of the account",
                  {"resend", "ignore"})
          .Default("resend") == "resend";
  in_doubt.absence_delay =
      reader
          .Duration("TOCSIN_IN_DOUBT_ABSENCE_DELAY",
                    "time in doubt after which a complete list of Twilio without the SMS is "
                    "proof; longer than Twilio's list lags, a frozen worker can delay its POST, "
                    "and clocks differ, together",
                    milliseconds(10), milliseconds(3'600'000))
          .Default(std::chrono::duration_cast<milliseconds>(in_doubt.absence_delay));
}

void ReadCalls(config::Reader& reader, CallRetryPolicy& calls) {
  const auto wait = [&](const char* name, const char* what, Micros otherwise) {
    return reader.Duration(name, what, milliseconds(1), milliseconds(86'400'000))
        .Default(std::chrono::duration_cast<milliseconds>(otherwise));
  };
  calls.busy = wait("TOCSIN_VOICE_RETRY_BUSY",
                    "delay from a busy line to the next call; voice worker only", calls.busy);
  calls.no_answer =
      wait("TOCSIN_VOICE_RETRY_NO_ANSWER",
           "delay from an unanswered call to the next call; voice worker only", calls.no_answer);
  calls.failed = wait(
      "TOCSIN_VOICE_RETRY_FAILED",
      "delay from a call that the carrier could not connect to the next call; voice worker only",
      calls.failed);
  calls.machine = wait("TOCSIN_VOICE_RETRY_MACHINE",
                       "delay from a call that a machine answered to the next call; only with "
                       "machine detection; voice worker only",
                       calls.machine);
  calls.max_calls = static_cast<std::int32_t>(
      reader
          .Integer("TOCSIN_VOICE_MAX_CALLS",
                   "calls placed until a person is reached, the first included; voice worker only",
                   1, 100, "calls")
          .Default(static_cast<int>(calls.max_calls)));
}

void ReadReconciliation(config::Reader& reader, ReconciliationSettings& reconciliation) {
  ReconcileSchedule& schedule = reconciliation.schedule;
  schedule.initial_delay =
      reader
          .Duration("TOCSIN_RECONCILE_INITIAL_DELAY",
                    "time from acceptance by Twilio to the first lookup of the final status and "
                    "price; each later delay is twice as long",
                    milliseconds(10), milliseconds(86'400'000))
          .Default(milliseconds(600'000));
  schedule.grace = reader
                       .Duration("TOCSIN_RECONCILE_GRACE_PERIOD",
                                 "time after the validity period at which an attempt without a "
                                 "final status becomes SENT_UNCONFIRMED",
                                 milliseconds(10), milliseconds(86'400'000))
                       .Default(milliseconds(3'600'000));
  reconciliation.max_lookups_per_second = static_cast<double>(
      reader
          .Integer("TOCSIN_RECONCILE_RATE",
                   "largest rate of reconciliation lookups at Twilio, per worker", 1, 100,
                   "requests per second")
          .Default(10));
}

void ReadTwilio(config::Reader& reader, Config& config) {
  config.twilio_base_url =
      reader.Url("TOCSIN_TWILIO_BASE_URL", "Twilio's REST API, or a simulator", {"https", "http"})
          .Default("https://api.twilio.com");
  config.public_base_url = service::ReadPublicBaseUrl(reader);
  config.connect_timeout =
      reader
          .Duration("TOCSIN_TWILIO_CONNECT_TIMEOUT", "timeout of a connection to Twilio",
                    milliseconds(10), milliseconds(30'000))
          .Default(config.connect_timeout);
}

void ReadLease(config::Reader& reader, DeliverySettings& delivery) {
  const milliseconds post_timeout =
      reader
          .Duration("TOCSIN_TWILIO_POST_TIMEOUT", "timeout of a POST to Twilio", milliseconds(100),
                    milliseconds(120'000))
          .Default(milliseconds(30'000));
  const milliseconds lease =
      reader
          .Duration("TOCSIN_LEASE", "lease of a claim on an attempt; longer than the POST timeout",
                    milliseconds(200), milliseconds(240'000))
          .DefaultText("`TOCSIN_TWILIO_POST_TIMEOUT` + 5s")
          .Example("35s")
          .Default(post_timeout + kLeaseBeyondPost);
  if (lease <= post_timeout)
    reader.AddError("TOCSIN_LEASE", "is not longer than TOCSIN_TWILIO_POST_TIMEOUT",
                    "remove it, or raise it");
  delivery.post_timeout = post_timeout;
  delivery.lease = lease;
}

void ReadRetries(config::Reader& reader, RetryPolicy& retry) {
  retry.backoff.base =
      reader
          .Duration("TOCSIN_RETRY_BASE",
                    "first delay before a retry that counts against the retry budget",
                    milliseconds(1), milliseconds(600'000))
          .Default(milliseconds(2'000));
  retry.backoff.cap = reader
                          .Duration("TOCSIN_RETRY_CAP", "longest delay before such a retry",
                                    milliseconds(1), milliseconds(86'400'000))
                          .Default(milliseconds(900'000));
  retry.delivery.base =
      reader
          .Duration("TOCSIN_DELIVERY_RETRY_BASE",
                    "first delay before a retry after the carrier accepted and could not deliver",
                    milliseconds(1), milliseconds(3'600'000))
          .Default(milliseconds(60'000));
}

// Each POST in progress has a delivery. One more for so many prepares the next POST, or records the
// result of the last one.
constexpr size_t kPostsPerFurtherDelivery = 4;

void ReadPool(config::Reader& reader, PostLimits& posts, DeliveryPoolSettings& pool) {
  posts.posts = static_cast<size_t>(
      reader
          .Integer(
              "TOCSIN_SENDERS",
              "largest number of POSTs of bulk alerts in progress; see TOCSIN_SENDERS_RESERVED "
              "for the other priorities",
              1, 10'000, "POSTs")
          .Default(1000));
  posts.reserved = static_cast<size_t>(
      reader
          .Integer("TOCSIN_SENDERS_RESERVED",
                   "POSTs that each priority may have in progress beyond those of the next lower "
                   "priority",
                   0, 1'000, "POSTs")
          .Default(50));
  pool.deliveries = posts.posts + posts.posts / kPostsPerFurtherDelivery;
  pool.reserved = posts.reserved;
  pool.lane_capacity = static_cast<size_t>(
      reader
          .Integer("TOCSIN_LANE_CAPACITY", "largest number of records queued in a lane", 1, 100'000,
                   "records")
          .Default(250));
}

}  // namespace

Config Config::Read(config::Reader& reader, const std::string& program,
                    const std::string& ops_setting) {
  Config config;
  config.base = service::ReadBase(reader, program, ops_setting);
  config.redis = service::ReadRedis(reader, config.base.kafka.prefix);
  config.redis.requires_restore = true;
  ReadTwilio(reader, config);
  config.delivery.owner = config.base.instance;
  ReadLease(reader, config.delivery);
  ReadRetries(reader, config.delivery.retry);
  ReadInDoubt(reader, config.delivery.retry.in_doubt);
  ReadCalls(reader, config.delivery.retry.calls);
  ReadReconciliation(reader, config.reconciliation);
  config.ring = std::chrono::duration_cast<std::chrono::seconds>(
      reader
          .Duration("TOCSIN_VOICE_RING_TIMEOUT", "how long a call rings; voice worker only",
                    milliseconds(5'000), milliseconds(600'000))
          .Default(milliseconds(30'000)));
  config.end_unanswered_calls =
      reader
          .Choice(
              "TOCSIN_VOICE_UNANSWERED_CALLS",
              "what happens to calls that nobody has answered yet when the goal of their plan is "
              "reached; voice worker only",
              {"end", "keep"})
          .Default("end") == "end";
  ReadPool(reader, config.posts, config.pool);
  config.delivery.max_deliveries = config.pool.deliveries + (kLanes - 1) * config.pool.reserved;
  return config;
}

}  // namespace tocsin::worker
