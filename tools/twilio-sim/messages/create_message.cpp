#include "tools/twilio-sim/messages/create_message.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>
#include <utility>

#include "common/domain/message/segments.h"
#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/formats.h"
#include "tools/twilio-sim/json_writer.h"
#include "tools/twilio-sim/messages/opt_out.h"
#include "tools/twilio-sim/sids.h"
#include "tools/twilio-sim/webhooks/callback_url.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kWhatsApp = "whatsapp:";
constexpr size_t kMaxAlphanumeric = 11;
constexpr int kOptedOut = 21610;
constexpr int kBlocked = 30004;

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool IsShortCode(std::string_view text) {
  return text.size() >= 3 && text.size() <= 8 && AllDigits(text);
}

bool IsAlphanumeric(std::string_view text) {
  return text.size() <= kMaxAlphanumeric &&
         std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalpha(c) != 0; }) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == ' ' || c == '-' || c == '+' || c == '_' || c == '&';
         });
}

std::string_view Address(std::string_view text) {
  return text.starts_with(kWhatsApp) ? text.substr(kWhatsApp.size()) : text;
}

// The magic numbers of the test credentials.
int MagicTo(std::string_view to) {
  constexpr std::array<std::pair<std::string_view, int>, 5> kMagic = {{{"+15005550001", 21211},
                                                                       {"+15005550002", 21612},
                                                                       {"+15005550003", 21408},
                                                                       {"+15005550004", 21610},
                                                                       {"+15005550009", 21614}}};
  for (const auto& [number, code] : kMagic) {
    if (to == number) return code;
  }
  return kNoError;
}

std::optional<int> MagicFrom(std::string_view from) {
  if (from == "+15005550006") return kNoError;
  if (from == "+15005550001") return 21212;
  if (from == "+15005550008") return 21611;
  if (from.starts_with("+1500555") && from.size() == 12) return 21606;
  return std::nullopt;
}

int CheckTo(const CreateMessageRequest& request) {
  if (request.to.empty()) return 21604;
  const std::string_view to = Address(request.to);
  if (!IsE164(to) || request.to == request.from) return 21211;
  return MagicTo(to) == 21211 ? 21211 : kNoError;
}

int CheckFrom(const CreateMessageRequest& request, size_t account, const Directory& directory) {
  const std::string_view from = Address(request.from);
  const bool alphanumeric = IsAlphanumeric(from);
  if (!IsE164(from) && !IsShortCode(from) && !alphanumeric) return 21212;
  const Directory::Ownership owner = directory.OwnershipOf(std::string(from), account);
  if (owner == Directory::Ownership::kOtherAccount) return 21660;
  if (owner == Directory::Ownership::kUnknown) return MagicFrom(from).value_or(21659);
  const bool to_whatsapp = request.to.starts_with(kWhatsApp);
  if (to_whatsapp != request.from.starts_with(kWhatsApp)) return 21612;
  // Canada and the United States do not support alphanumeric senders.
  if (alphanumeric && Address(request.to).starts_with("+1")) return 21612;
  return kNoError;
}

int CheckSender(const CreateMessageRequest& request, size_t account, const Directory& directory,
                MessageDraft& draft) {
  if (request.from.empty() && request.service_sid.empty()) return 21603;
  if (request.service_sid.empty()) return CheckFrom(request, account, directory);
  if (!IsSid(request.service_sid, "MG")) return 21705;
  draft.service = directory.ServiceOf(request.service_sid, account);
  if (!draft.service) return 21701;
  const std::vector<std::string>& pool = directory.Service(*draft.service).pool;
  if (pool.empty()) return 21704;
  if (request.from.empty()) return kNoError;
  return std::find(pool.begin(), pool.end(), request.from) == pool.end() ? 21606 : kNoError;
}

int CheckContent(const CreateMessageRequest& request) {
  if (request.body.empty() && request.media.empty() && request.content_sid.empty()) return 21602;
  if (request.characters > kMaxBodyCharacters) return 21617;
  if (request.media.size() > kMaxMedia) return 21620;
  const bool media_valid =
      std::all_of(request.media.begin(), request.media.end(),
                  [](const auto& url) { return ParseCallbackUrl(url).has_value(); });
  if (!media_valid) return 21620;
  if (!request.content_sid.empty() && !IsSid(request.content_sid, "HX")) return 21655;
  if (!request.status_callback.empty() && !ParseCallbackUrl(request.status_callback)) return 21609;
  return kNoError;
}

int CheckTimes(const CreateMessageRequest& request, WallTime now, MessageDraft& draft) {
  if (!request.validity_period.empty()) {
    const std::string& text = request.validity_period;
    int seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    draft.validity = std::chrono::seconds(seconds);
    if (error != std::errc() || end != text.data() + text.size()) return 90007;
    if (seconds < 1 || draft.validity > kMaxValidity) return 90007;
  }
  if (request.send_time.empty() && request.schedule_type.empty()) return kNoError;
  if (!draft.service) return 35118;
  draft.send_time = ParseIsoTime(request.send_time);
  if (!draft.send_time || request.schedule_type != "fixed") return 35114;
  if (*draft.send_time <= now + kMinScheduleDelay) return 35114;
  return *draft.send_time > now + kMaxScheduleDelay ? 35115 : kNoError;
}

// For a recipient who opted out: a message of a number is refused. With Advanced Opt-Out, or if the
// carrier manages opt-outs (toll-free), it is accepted and fails later.
int CheckOptOut(const CreateMessageRequest& request, const std::string& to,
                const Directory& directory, MessageDraft& draft) {
  const bool has_service = !request.service_sid.empty();
  const std::string& sender = has_service ? request.service_sid : request.from;
  const bool blocked = directory.Blocked(to, sender) ||
                       (!request.from.empty() && directory.Blocked(to, request.from));
  if (!blocked) return kNoError;
  if (has_service && directory.Service(*draft.service).advanced_opt_out) {
    draft.outcome = {.last = Status::kFailed, .error_code = kOptedOut};
    return kNoError;
  }
  if (!IsTollFree(request.from)) return kOptedOut;
  draft.outcome = {.last = Status::kUndelivered, .error_code = kBlocked};
  return kNoError;
}

int CheckState(const CreateMessageRequest& request, const Directory& directory,
               const SenderQueues& queues, WallTime now, MessageDraft& draft) {
  const std::string to(Address(request.to));
  if (const int magic = MagicTo(to); magic != kNoError) return magic;
  if (const int code = CheckOptOut(request, to, directory, draft)) return code;
  // With a messaging service, a full queue is reported later, as 30001.
  const bool has_service = !request.service_sid.empty();
  return !has_service && queues.Full(request.from, request.segments, now) ? 21611 : kNoError;
}

// The conversion that SmartEncoded makes before the text is split into segments.
std::string GsmLookAlikes(std::string_view body) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kLookAlikes = {
      {{"\u2018", "'"},
       {"\u2019", "'"},
       {"\u201C", "\""},
       {"\u201D", "\""},
       {"\u2013", "-"},
       {"\u2014", "-"},
       {"\u2026", "..."},
       {"\u00A0", " "},
       {"\u2022", "-"},
       {"`", "'"}}};
  std::string converted;
  while (!body.empty()) {
    const auto* const found =
        std::find_if(kLookAlikes.begin(), kLookAlikes.end(),
                     [&](const auto& pair) { return body.starts_with(pair.first); });
    const bool known = found != kLookAlikes.end();
    converted += known ? found->second : body.substr(0, 1);
    body.remove_prefix(known ? found->first.size() : 1);
  }
  return converted;
}

std::string* FieldNamed(CreateMessageRequest& request, std::string_view name) {
  if (name == "To") return &request.to;
  if (name == "From") return &request.from;
  if (name == "Body") return &request.body;
  if (name == "MessagingServiceSid") return &request.service_sid;
  if (name == "StatusCallback") return &request.status_callback;
  if (name == "ValidityPeriod") return &request.validity_period;
  if (name == "SendAt") return &request.send_time;
  if (name == "ScheduleType") return &request.schedule_type;
  if (name == "ContentSid") return &request.content_sid;
  return nullptr;
}

}  // namespace

CreateMessageRequest ParseCreateMessage(const FormFields& fields) {
  CreateMessageRequest request;
  for (const auto& [name, value] : fields) {
    if (std::string* field = FieldNamed(request, name)) *field = value;
    if (name == "MediaUrl") request.media.push_back(value);
    if (name == "SmartEncoded") request.smart_encoded = value == "true";
  }
  request.body = ScrubUtf8(request.body);
  request.characters = CountSegments(request.body).characters;
  request.segments =
      CountSegments(request.smart_encoded ? GsmLookAlikes(request.body) : request.body).segments;
  return request;
}

int CheckCreateMessage(const CreateMessageRequest& request, size_t account,
                       const Directory& directory, const SenderQueues& queues, WallTime now,
                       MessageDraft& draft) {
  draft.account = account;
  if (const int code = CheckTo(request)) return code;
  if (const int code = CheckSender(request, account, directory, draft)) return code;
  if (const int code = CheckContent(request)) return code;
  if (const int code = CheckTimes(request, now, draft)) return code;
  if (const int code = CheckState(request, directory, queues, now, draft)) return code;
  draft.to = request.to;
  draft.from = request.from;
  draft.body = request.body;
  draft.status_callback = request.status_callback;
  draft.segments = std::max(request.segments, 1U);  // one for media or a template without a body
  draft.media = static_cast<unsigned>(request.media.size());
  return kNoError;
}

}  // namespace tocsin::sim
