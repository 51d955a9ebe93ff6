#include "tools/twilio-sim/voice/create_call.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "common/domain/message/segments.h"
#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/formats.h"
#include "tools/twilio-sim/json_writer.h"
#include "tools/twilio-sim/webhooks/callback_url.h"

namespace tocsin::sim {
namespace {

constexpr int kNoTo = 21201;
constexpr int kBadScriptUrl = 21205;
constexpr int kBadSendDigits = 21206;
constexpr int kBadTimeout = 21208;
constexpr int kBadMethod = 21209;
constexpr int kFromNotVerified = 21210;
constexpr int kBadTo = 21211;
constexpr int kBadFrom = 21212;
constexpr int kNoFrom = 21213;
constexpr int kBadApplication = 21218;
constexpr int kDetectionWithoutCallback = 21262;  // a warning
constexpr int kBadEvent = 21626;                  // a warning
constexpr int kBadCallback = 21609;
constexpr int kCallQueueFull = 22005;

// The magic numbers of the test credentials.
int MagicTo(std::string_view to) {
  constexpr std::array<std::pair<std::string_view, int>, 4> kMagic = {{{"+15005550001", 21217},
                                                                       {"+15005550002", 21214},
                                                                       {"+15005550003", 21215},
                                                                       {"+15005550004", 21216}}};
  for (const auto& [number, code] : kMagic) {
    if (to == number) return code;
  }
  return kNoError;
}

int CheckFrom(std::string_view from, size_t account, const Directory& directory) {
  if (!IsE164(from)) return kBadFrom;
  if (directory.OwnershipOf(std::string(from), account) == Directory::Ownership::kOwn)
    return kNoError;
  if (from == "+15005550006") return kNoError;
  return from == "+15005550001" ? kBadFrom : kFromNotVerified;
}

// A method parameter: POST unless it is given.
bool ReadMethod(const FormFields& fields, std::string_view name, WebhookTarget& target) {
  const std::string_view method = Field(fields, name);
  target.get = method == "GET";
  return method.empty() || method == "GET" || method == "POST";
}

// An address with its method. A missing one is fine; `code` is for one that is not an address.
int ParseTarget(const FormFields& fields, std::string_view url_name, std::string_view method_name,
                int code, WebhookTarget& target) {
  target.url = Field(fields, url_name);
  if (!target.url.empty() && !ParseCallbackUrl(target.url)) return code;
  return ReadMethod(fields, method_name, target) ? kNoError : kBadMethod;
}

// A whole number of seconds; false for other text. Absent leaves the value as it is.
template <typename Duration>
bool ReadSeconds(const FormFields& fields, std::string_view name, Duration& value) {
  const std::string_view text = Field(fields, name);
  if (text.empty()) return true;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  value = std::chrono::seconds(seconds);
  return error == std::errc() && end == text.data() + text.size() && seconds >= 0;
}

// StatusCallbackEvent is repeated; a list in one value, as TwiML has it, is understood as well.
void ReadEvents(const FormFields& fields, CallDraft& draft) {
  for (const auto& [name, value] : fields) {
    if (name != "StatusCallbackEvent") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::string_view word = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
      const auto* const found = std::find(kCallEventNames.begin(), kCallEventNames.end(), word);
      if (found == kCallEventNames.end()) {
        draft.warnings.push_back(kBadEvent);
      } else {
        draft.events |= 1U << (found - kCallEventNames.begin());
      }
    }
  }
  if (draft.events == 0) draft.events = 1U << static_cast<unsigned>(CallEvent::kCompleted);
}

int ReadDetection(const FormFields& fields, CallDraft& draft) {
  const std::string_view wanted = Field(fields, "MachineDetection");
  if (wanted == "Enable") draft.detection = Detection::kEnable;
  if (wanted == "DetectMessageEnd") draft.detection = Detection::kMessageEnd;
  if (!wanted.empty() && draft.detection == Detection::kOff) return kInvalidParameters;
  if (!ReadSeconds(fields, "MachineDetectionTimeout", draft.detection_timeout)) {
    return kInvalidParameters;
  }
  draft.async_detection = Field(fields, "AsyncAmd") == "true";
  const int code = ParseTarget(fields, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod",
                               kBadCallback, draft.detection_callback);
  const bool untold = draft.async_detection && draft.detection_callback.url.empty();
  if (untold) draft.warnings.push_back(kDetectionWithoutCallback);
  return code;
}

int ReadSendDigits(const FormFields& fields, CallDraft& draft) {
  draft.send_digits = Field(fields, "SendDigits");
  const bool valid = draft.send_digits.size() <= kMaxSendDigits &&
                     draft.send_digits.find_first_not_of("0123456789ABCD#*wW") == std::string::npos;
  const bool excluded = !draft.send_digits.empty() && draft.detection != Detection::kOff;
  return valid && !excluded ? kNoError : kBadSendDigits;
}

int CheckScript(const FormFields& fields, CallDraft& draft) {
  if (const int code = ParseTarget(fields, "Url", "Method", kBadScriptUrl, draft.script))
    return code;
  draft.twiml = ScrubUtf8(Field(fields, "Twiml"));
  if (CountSegments(draft.twiml).characters > kMaxTwimlParameter) return kTwimlTooLarge;
  return ParseTarget(fields, "FallbackUrl", "FallbackMethod", kBadScriptUrl, draft.fallback);
}

}  // namespace

std::string_view Field(const FormFields& fields, std::string_view name) {
  std::string_view last;
  for (const auto& [key, value] : fields) {
    if (key == name) last = value;
  }
  return last;
}

int CheckRedirect(const FormFields& fields, CallDraft& draft) { return CheckScript(fields, draft); }

int CheckCreateCall(const FormFields& fields, size_t account, const Directory& directory,
                    const SenderQueues& queues, WallTime now, CallDraft& draft) {
  draft.account = account;
  draft.to = Field(fields, "To");
  draft.from = Field(fields, "From");
  if (draft.to.empty()) return kNoTo;
  if (draft.from.empty()) return kNoFrom;
  if (!IsE164(draft.to)) return kBadTo;
  if (const int code = MagicTo(draft.to)) return code;
  if (const int code = CheckFrom(draft.from, account, directory)) return code;
  if (const int code = CheckScript(fields, draft)) return code;
  if (draft.script.url.empty() && draft.twiml.empty()) {
    return Field(fields, "ApplicationSid").empty() ? kBadScriptUrl : kBadApplication;
  }
  if (const int code = ParseTarget(fields, "StatusCallback", "StatusCallbackMethod", kBadCallback,
                                   draft.status_callback)) {
    return code;
  }
  ReadEvents(fields, draft);
  if (!ReadSeconds(fields, "Timeout", draft.timeout) || draft.timeout.count() < 1) {
    return kBadTimeout;
  }
  draft.timeout = std::min(draft.timeout, kMaxRingTimeout);
  if (!ReadSeconds(fields, "TimeLimit", draft.time_limit)) return kBadTimeout;
  if (const int code = ReadDetection(fields, draft)) return code;
  if (const int code = ReadSendDigits(fields, draft)) return code;
  const std::string& sid = directory.Accounts()[account].sid;
  return queues.Full(sid, 1, now) ? kCallQueueFull : kNoError;
}

}  // namespace tocsin::sim
