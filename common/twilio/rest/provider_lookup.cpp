#include "common/twilio/rest/provider_lookup.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/base/encoding.h"
#include "common/twilio/rest/json_fields.h"
#include "common/twilio/rest/list_pages.h"
#include "common/twilio/sid.h"
#include "common/twilio/webhooks/status_words.h"

namespace tocsin::twilio {
namespace {

using nlohmann::json;

constexpr size_t kMaxPrice = 18;  // characters; in micros it fits std::int64_t
constexpr size_t kMicroDigits = 6;
constexpr size_t kCurrencyLength = 3;
constexpr size_t kMaxStatus = 32;  // characters
constexpr std::int32_t kMaxSegments = 100;
constexpr std::int32_t kMaxDurationSeconds = 1'000'000;

bool AllDigits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "-0.00750" is a charge of 7 500 micros. Digits after the sixth are dropped.
std::optional<std::int64_t> MicrosOf(std::string_view text) {
  if (text.empty() || text.size() > kMaxPrice) return std::nullopt;
  const bool charge = text.front() == '-';
  if (charge) text.remove_prefix(1);
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, dot);
  std::string fraction(dot < text.size() ? text.substr(dot + 1) : std::string_view());
  if ((whole.empty() && fraction.empty()) || !AllDigits(whole) || !AllDigits(fraction))
    return std::nullopt;
  fraction.resize(kMicroDigits, '0');
  const std::string digits = std::string(whole) + fraction;
  std::int64_t micros = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), micros).ec != std::errc())
    return std::nullopt;
  return charge ? micros : -micros;
}

std::optional<records::v1::Money> PriceOf(const json& object) {
  const std::optional<std::int64_t> micros = MicrosOf(StringMember(object, "price"));
  const std::string currency = StringMember(object, "price_unit");
  const bool upper = std::ranges::all_of(currency, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!micros || currency.size() != kCurrencyLength || !upper) return std::nullopt;
  records::v1::Money price;
  price.set_micros(*micros);
  price.set_currency_code(currency);
  return price;
}

// ISO 8601, as Twilio's filters of times: 2026-03-01T10:00:00Z.
std::string TimeText(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 24> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::optional<ProviderRecord> RecordOf(const json& object, std::string_view sid) {
  ProviderRecord record;
  if (object.is_object()) record.provider_status = StringMember(object, "status");
  if (record.provider_status.empty() || record.provider_status.size() > kMaxStatus)
    return std::nullopt;
  record.code = ErrorCodeMember(object, "error_code");
  record.segment_count = NumberMember(object, "num_segments", kMaxSegments, 0);
  record.price = PriceOf(object);
  record.answered_by = AnsweredByOf(StringMember(object, "answered_by"));
  record.status = IsCallSid(sid) ? CallStatusOf(record.provider_status, record.answered_by)
                                 : MessageStatusOf(record.provider_status);
  record.error_class = ErrorClassOf(record.status, record.provider_status, record.code);
  record.duration_seconds = NumberMember(object, "duration", kMaxDurationSeconds, -1);
  const std::time_t updated = curl_getdate(StringMember(object, "date_updated").c_str(), nullptr);
  if (updated > 0) record.updated = WallTime(std::chrono::seconds(updated));
  return record;
}

}  // namespace

Result<ProviderRecord> ParseResource(const std::string& body, std::string_view sid) {
  const json object = json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::optional<ProviderRecord> record;
  if (object.is_object() && StringMember(object, "sid") == sid) record = RecordOf(object, sid);
  if (!record) return Fail(ErrorCode::kTwilioApiError, "invalid resource from Twilio");
  return *std::move(record);
}

Task<Result<std::optional<ProviderRecord>>> ResourceLookup::Find(const Account& account,
                                                                 const std::string& sid,
                                                                 SteadyTime deadline) {
  const char* const resource = IsCallSid(sid) ? "/Calls/" : "/Messages/";
  const std::string path = "/2010-04-01/Accounts/" + PercentEncode(account.sid) + resource +
                           PercentEncode(sid) + ".json";
  const Result<std::string> body = co_await client_.Get(account, path, deadline);
  if (!body && body.error().code == ErrorCode::kNotFound) co_return std::optional<ProviderRecord>();
  if (!body) co_return Fail(body.error());
  TOCSIN_CO_TRY(ProviderRecord record, ParseResource(*body, sid));
  co_return std::optional(std::move(record));
}

Task<Result<ProviderPage>> ResourceLookup::ListSent(const Account& account,
                                                    const SentWindow& window,
                                                    const std::string& page, SteadyTime deadline) {
  const FormFields filters{{"DateSent>", TimeText(window.from)},
                           {"DateSent<", TimeText(window.until)},
                           {"PageSize", std::to_string(kSentPageSize)}};
  const std::string first = "/2010-04-01/Accounts/" + PercentEncode(account.sid) +
                            "/Messages.json?" + FormEncode(filters);
  const std::string& path = page.empty() ? first : page;
  TOCSIN_CO_TRY(const json list,
                co_await ReadPage(client_, account, path, deadline, kSentPageSize));
  const auto messages = list.find("messages");
  if (messages == list.end() || !messages->is_array()) co_return InvalidList();
  ProviderPage found;
  for (const json& message : *messages) {
    if (!message.is_object()) continue;
    const std::string sid = StringMember(message, "sid");
    if (auto record = RecordOf(message, sid); record && IsMessageSid(sid))
      found.records.insert_or_assign(sid, *std::move(record));
  }
  found.next = StringMember(list, "next_page_uri");
  // Never send credentials to another host.
  if (!found.next.empty() && !found.next.starts_with('/')) co_return InvalidList();
  co_return found;
}

}  // namespace tocsin::twilio
