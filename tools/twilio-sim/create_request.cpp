#include "tools/twilio-sim/create_request.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>
#include <utility>

#include "common/domain/segments.h"
#include "tools/twilio-sim/api_errors.h"
#include "tools/twilio-sim/callback_url.h"
#include "tools/twilio-sim/json.h"
#include "tools/twilio-sim/opt_out.h"
#include "tools/twilio-sim/sids.h"

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

// What the number alone decides: the magic numbers of the test credentials.
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

int JudgeTo(const CreateRequest& request) {
  if (request.to.empty()) return 21604;
  const std::string_view to = Address(request.to);
  if (!IsE164(to) || request.to == request.from) return 21211;
  return MagicTo(to) == 21211 ? 21211 : kNoError;
}

int JudgeFrom(const CreateRequest& request, size_t account, const Directory& directory) {
  const std::string_view from = Address(request.from);
  const bool alphanumeric = IsAlphanumeric(from);
  if (!IsE164(from) && !IsShortCode(from) && !alphanumeric) return 21212;
  const Directory::Ownership owner = directory.OwnerOf(std::string(from), account);
  if (owner == Directory::Ownership::kAnotherAccounts) return 21660;
  if (owner == Directory::Ownership::kNobodys) return MagicFrom(from).value_or(21659);
  const bool to_whatsapp = request.to.starts_with(kWhatsApp);
  if (to_whatsapp != request.from.starts_with(kWhatsApp)) return 21612;
  // Canada and the United States take no alphanumeric senders.
  if (alphanumeric && Address(request.to).starts_with("+1")) return 21612;
  return kNoError;
}

int JudgeSender(const CreateRequest& request, size_t account, const Directory& directory,
                Draft& draft) {
  if (request.from.empty() && request.service_sid.empty()) return 21603;
  if (request.service_sid.empty()) return JudgeFrom(request, account, directory);
  if (!IsSid(request.service_sid, "MG")) return 21705;
  draft.service = directory.ServiceOf(request.service_sid, account);
  if (!draft.service) return 21701;
  const std::vector<std::string>& pool = directory.Service(*draft.service).pool;
  if (pool.empty()) return 21704;
  if (request.from.empty()) return kNoError;
  return std::find(pool.begin(), pool.end(), request.from) == pool.end() ? 21606 : kNoError;
}

int JudgeContent(const CreateRequest& request) {
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

int JudgeTimes(const CreateRequest& request, WallTime now, Draft& draft) {
  if (!request.validity_period.empty()) {
    const std::string& text = request.validity_period;
    int seconds = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    draft.validity = std::chrono::seconds(seconds);
    if (fault != std::errc() || end != text.data() + text.size()) return 90007;
    if (seconds < 1 || draft.validity > kLongestValidity) return 90007;
  }
  if (request.send_at.empty() && request.schedule_type.empty()) return kNoError;
  if (!draft.service) return 35118;
  draft.send_at = ParseIsoTime(request.send_at);
  if (!draft.send_at || request.schedule_type != "fixed") return 35114;
  if (*draft.send_at <= now + kSoonestSchedule) return 35114;
  return *draft.send_at > now + kLatestSchedule ? 35115 : kNoError;
}

// A person who opted out: a plain sender is refused at once; behind Advanced Opt-Out, or where the
// carrier keeps the list (toll-free), the message is taken and ends later.
int JudgeOptOut(const CreateRequest& request, const std::string& to, const Directory& directory,
                Draft& draft) {
  const bool plain = request.service_sid.empty();
  const std::string& sender = plain ? request.from : request.service_sid;
  const bool blocked = directory.Blocked(to, sender) ||
                       (!request.from.empty() && directory.Blocked(to, request.from));
  if (!blocked) return kNoError;
  if (!plain && directory.Service(*draft.service).advanced_opt_out) {
    draft.outcome = {.last = Status::kFailed, .error_code = kOptedOut};
    return kNoError;
  }
  if (!IsTollFree(request.from)) return kOptedOut;
  draft.outcome = {.last = Status::kUndelivered, .error_code = kBlocked};
  return kNoError;
}

int JudgeState(const CreateRequest& request, const Directory& directory, const SenderQueues& queues,
               WallTime now, Draft& draft) {
  const std::string to(Address(request.to));
  if (const int magic = MagicTo(to); magic != kNoError) return magic;
  if (const int code = JudgeOptOut(request, to, directory, draft)) return code;
  // Behind a service a full queue shows later, as 30001.
  const bool plain = request.service_sid.empty();
  return plain && queues.Full(request.from, request.segments, now) ? 21611 : kNoError;
}

// What SmartEncoded does to the text before it is split.
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
  std::string plain;
  while (!body.empty()) {
    const auto* const found =
        std::find_if(kLookAlikes.begin(), kLookAlikes.end(),
                     [&](const auto& pair) { return body.starts_with(pair.first); });
    const bool known = found != kLookAlikes.end();
    plain += known ? found->second : body.substr(0, 1);
    body.remove_prefix(known ? found->first.size() : 1);
  }
  return plain;
}

std::string* FieldNamed(CreateRequest& request, std::string_view name) {
  if (name == "To") return &request.to;
  if (name == "From") return &request.from;
  if (name == "Body") return &request.body;
  if (name == "MessagingServiceSid") return &request.service_sid;
  if (name == "StatusCallback") return &request.status_callback;
  if (name == "ValidityPeriod") return &request.validity_period;
  if (name == "SendAt") return &request.send_at;
  if (name == "ScheduleType") return &request.schedule_type;
  if (name == "ContentSid") return &request.content_sid;
  return nullptr;
}

}  // namespace

bool IsE164(std::string_view text) {
  if (text.size() < 8 || text.size() > 16 || text[0] != '+' || text[1] == '0') return false;
  if (!AllDigits(text.substr(1))) return false;
  return text[1] != '1' || text.size() == 12;  // North America has ten digits after the 1
}

std::optional<WallTime> ParseIsoTime(std::string_view text) {
  const auto number = [&](size_t at, size_t length) {
    int value = -1;
    const char* const begin = text.data() + at;
    const auto [end, fault] = std::from_chars(begin, begin + length, value);
    return fault == std::errc() && end == begin + length ? value : -1;
  };
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int month = number(5, 2);
  const int day = number(8, 2);
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (number(0, 4) < 0 || month < 0 || day < 0 || !date.ok()) return std::nullopt;
  const WallTime midnight = std::chrono::sys_days(date);
  if (text.size() == 10) return midnight;
  if (text.size() < 20 || text.back() != 'Z' || (text[10] != 'T' && text[10] != ' ')) {
    return std::nullopt;
  }
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  const bool separators = text[13] == ':' && text[16] == ':';
  const bool fraction =
      text.size() == 20 || (text[19] == '.' && AllDigits(text.substr(20, text.size() - 21)));
  if (!separators || !fraction || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60) {
    return std::nullopt;
  }
  return midnight + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

CreateRequest ReadCreateRequest(const FormFields& fields) {
  CreateRequest request;
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

int Judge(const CreateRequest& request, size_t account, const Directory& directory,
          const SenderQueues& queues, WallTime now, Draft& draft) {
  draft.account = account;
  if (const int code = JudgeTo(request)) return code;
  if (const int code = JudgeSender(request, account, directory, draft)) return code;
  if (const int code = JudgeContent(request)) return code;
  if (const int code = JudgeTimes(request, now, draft)) return code;
  if (const int code = JudgeState(request, directory, queues, now, draft)) return code;
  draft.to = request.to;
  draft.from = request.from;
  draft.body = request.body;
  draft.status_callback = request.status_callback;
  draft.segments = std::max(request.segments, 1U);  // media and templates alone count as one
  draft.media = static_cast<unsigned>(request.media.size());
  return kNoError;
}

}  // namespace tocsin::sim
