// tocsin-voice-worker: places the calls of voice alerts by Twilio and moves delayed records.
#include "common/twilio/rest/provider_list.h"
#include "common/twilio/rest/voice_provider.h"
#include "services/worker/worker.h"

namespace tocsin {
namespace {

worker::ChannelAdapter MakeVoiceAdapter(const worker::AdapterParts& parts) {
  auto provider = std::make_unique<twilio::VoiceProvider>(
      parts.loop,
      twilio::VoiceProviderSettings{.rest = parts.rest,
                                    .public_base_url = parts.config.public_base_url,
                                    .topics = parts.topics,
                                    .ring_timeout = parts.config.ring},
      parts.vault, parts.clock);
  auto check = [&voice = *provider] { return voice.CheckConnectivity(); };
  auto open = [&voice = *provider] { return voice.OpenConnection(); };
  return {.provider = std::move(provider),
          .list = std::make_unique<twilio::CallList>(parts.loop, parts.rest),
          .check_connectivity = std::move(check),
          .open_connection = std::move(open)};
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  using namespace tocsin;
  return worker::Main(argc, argv,
                      {.channel = v1::CHANNEL_VOICE,
                       .name = "voice",
                       .program = "tocsin-voice-worker",
                       .purpose = "Places the calls of voice alerts from Kafka by Twilio.",
                       .ops_setting = "TOCSIN_OPS_VOICE_WORKER_ADDRESS",
                       .make_adapter = MakeVoiceAdapter});
}
