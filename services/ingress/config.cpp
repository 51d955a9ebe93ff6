#include "services/ingress/config.h"

namespace tocsin::ingress {

Config Config::Read(config::Reader& reader) {
  Config config;
  config.base = service::ReadBase(reader, "tocsin-ingress", "TOCSIN_OPS_INGRESS");
  config.redis = service::ReadRedis(reader, config.base.kafka.prefix);
  config.http_address =
      reader.HostPort("TOCSIN_INGRESS_HTTP", "where Twilio's webhooks arrive").Required().Text();
  config.grpc_address =
      reader.HostPort("TOCSIN_INGRESS_GRPC", "where callers enqueue").Required().Text();
  config.public_base_url =
      reader.Url("TOCSIN_PUBLIC_BASE_URL", "how Twilio reaches this ingress", {"https", "http"})
          .Alias("TWILIO_WEBHOOK_BASE_URL")
          .Required();
  while (config.public_base_url.ends_with('/')) config.public_base_url.pop_back();
  config.http_threads = static_cast<int>(
      reader.Integer("TOCSIN_HTTP_THREADS", "threads that serve webhooks", 1, 64).Default(2));
  config.acceptance.max_in_flight = static_cast<size_t>(
      reader.Integer("TOCSIN_ENQUEUE_IN_FLIGHT", "alerts between call and answer", 1, 1'000'000)
          .Default(20'000));
  config.acceptance.attempts = static_cast<std::uint32_t>(
      reader.Integer("TOCSIN_ATTEMPTS", "tries of a step that use its budget", 1, 100).Default(5));
  return config;
}

}  // namespace tocsin::ingress
