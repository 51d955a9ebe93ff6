// tocsin-sms-worker: delivers SMS alerts to Twilio and moves delayed records.
#include "common/twilio/rest/provider_list.h"
#include "common/twilio/rest/sms_provider.h"
#include "services/worker/worker.h"

namespace tocsin {
namespace {

worker::ChannelAdapter MakeSmsAdapter(const worker::AdapterParts& parts) {
  auto provider = std::make_unique<twilio::SmsProvider>(
      parts.loop,
      twilio::SmsProviderSettings{.rest = parts.rest,
                                  .public_base_url = parts.config.public_base_url,
                                  .topics = parts.topics},
      parts.vault, parts.clock);
  auto check = [&sms = *provider] { return sms.CheckConnectivity(); };
  auto open = [&sms = *provider] { return sms.OpenConnection(); };
  return {.provider = std::move(provider),
          .list = std::make_unique<twilio::MessageList>(parts.loop, parts.rest),
          .check_connectivity = std::move(check),
          .open_connection = std::move(open)};
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  using namespace tocsin;
  return worker::Main(argc, argv,
                      {.channel = v1::CHANNEL_SMS,
                       .name = "sms",
                       .program = "tocsin-sms-worker",
                       .purpose = "Delivers SMS alerts from Kafka to Twilio.",
                       .ops_setting = "TOCSIN_OPS_SMS_WORKER_ADDRESS",
                       .make_adapter = MakeSmsAdapter});
}
