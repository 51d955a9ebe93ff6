// tocsin-voice-worker: places calls for voice alerts by Twilio, and runs its share of the
// relay.
#include "common/twilio/call_list.h"
#include "common/twilio/voice_carrier.h"
#include "common/worker/worker.h"

namespace tocsin {
namespace {

worker::Line VoiceLine(const worker::LineParts& parts) {
  auto carrier = std::make_unique<twilio::VoiceCarrier>(
      twilio::VoiceCarrierSettings{.rest = parts.rest,
                                   .public_base_url = parts.config.public_base_url,
                                   .topics = parts.topics,
                                   .ring = parts.config.ring},
      parts.vault, parts.clock);
  auto reach = [&voice = *carrier] { return voice.Reach(); };
  return {.carrier = std::move(carrier),
          .list = std::make_unique<twilio::CallList>(parts.rest),
          .reach = std::move(reach)};
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  using namespace tocsin;
  return worker::Main(argc, argv,
                      {.channel = v1::CHANNEL_VOICE,
                       .name = "voice",
                       .program = "tocsin-voice-worker",
                       .purpose = "Places calls for voice alerts by Twilio.",
                       .ops_setting = "TOCSIN_OPS_VOICE_WORKER",
                       .line = VoiceLine});
}
