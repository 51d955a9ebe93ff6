// tocsin-sms-worker: carries SMS alerts from their lanes to Twilio, and runs its share of the
// relay.
#include "common/twilio/message_list.h"
#include "common/twilio/sms_carrier.h"
#include "common/worker/worker.h"

namespace tocsin {
namespace {

worker::Line SmsLine(const worker::LineParts& parts) {
  auto carrier = std::make_unique<twilio::SmsCarrier>(
      twilio::SmsCarrierSettings{.rest = parts.rest,
                                 .public_base_url = parts.config.public_base_url,
                                 .topics = parts.topics},
      parts.vault, parts.clock);
  auto reach = [&sms = *carrier] { return sms.Reach(); };
  return {.carrier = std::move(carrier),
          .list = std::make_unique<twilio::MessageList>(parts.rest),
          .reach = std::move(reach)};
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  using namespace tocsin;
  return worker::Main(argc, argv,
                      {.channel = v1::CHANNEL_SMS,
                       .name = "sms",
                       .program = "tocsin-sms-worker",
                       .purpose = "Carries SMS alerts from Kafka to Twilio.",
                       .ops_setting = "TOCSIN_OPS_SMS_WORKER",
                       .line = SmsLine});
}
