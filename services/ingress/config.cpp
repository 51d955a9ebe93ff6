#include "services/ingress/config.h"

namespace tocsin::ingress {

Config Config::Read(config::Reader& reader) {
  Config config;
  config.base = service::ReadBase(reader, "tocsin-ingress", "TOCSIN_OPS_INGRESS_ADDRESS");
  config.redis = service::ReadRedis(reader, config.base.kafka.prefix);
  config.http_address = reader
                            .HostPort("TOCSIN_INGRESS_HTTP_ADDRESS",
                                      "address for Twilio's webhooks and links in messages")
                            .Alias("TOCSIN_INGRESS_HTTP")
                            .Example("127.0.0.1:8080")
                            .Required()
                            .Text();
  config.grpc_address =
      reader
          .HostPort("TOCSIN_INGRESS_GRPC_ADDRESS",
                    "address of the gRPC server for clients; without TLS: bind it to an internal "
                    "network")
          .Alias("TOCSIN_INGRESS_GRPC")
          .Example("0.0.0.0:7443")
          .Required()
          .Text();
  config.public_base_url = service::ReadPublicBaseUrl(reader);
  config.acceptance.rules.public_base_url = config.public_base_url;
  config.http_threads = static_cast<int>(
      reader.Integer("TOCSIN_HTTP_THREADS", "threads of the webhook server", 1, 64, "threads")
          .Default(2));
  config.acceptance.max_in_flight =
      static_cast<size_t>(reader
                              .Integer("TOCSIN_ENQUEUE_IN_FLIGHT",
                                       "alerts between request and response; above 70 % of it bulk "
                                       "gets OVERLOADED, above 80 % "
                                       "normal, above 90 % high",
                                       1, 1'000'000, "alerts")
                              .Default(20'000));
  config.acceptance.max_attempts = static_cast<std::int32_t>(
      reader
          .Integer("TOCSIN_MAX_ATTEMPTS",
                   "attempts of a step that count against its retry budget; written into each "
                   "record",
                   1, 100, "attempts")
          .Default(5));
  config.acceptance.rules.allow_pii_like_metadata =
      reader
          .Choice("TOCSIN_ALLOW_PII_LIKE_METADATA",
                  "accept labels, idempotency keys and actor ids that look like a phone number, an "
                  "e-mail address or a payment card; they are stored in the clear",
                  {"false", "true"})
          .Default("false") == "true";
  return config;
}

}  // namespace tocsin::ingress
