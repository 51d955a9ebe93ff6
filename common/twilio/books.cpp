#include "common/twilio/books.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/encoding.h"

namespace tocsin::twilio {
namespace {

using nlohmann::json;

constexpr size_t kMaxPrice = 18;  // characters: what fits micros
constexpr size_t kMicroDigits = 6;
constexpr size_t kCurrency = 3;
constexpr size_t kMaxWord = 32;

std::string TextOf(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A decimal number as text, at most `most`; `absent` for anything else.
template <typename Number>
Number NumberOf(const std::string& text, Number most, Number absent) {
  Number number{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = fault == std::errc() && end == text.data() + text.size() && !text.empty();
  return whole && number <= most ? number : absent;
}

bool AllDigits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "-0.00750" is a charge of 7 500 micros. Digits beyond the sixth are cut off.
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

std::optional<v1::Money> PriceOf(const json& object) {
  const std::optional<std::int64_t> micros = MicrosOf(TextOf(object, "price"));
  const std::string currency = TextOf(object, "price_unit");
  const bool upper = std::ranges::all_of(currency, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!micros || currency.size() != kCurrency || !upper) return std::nullopt;
  v1::Money price;
  price.set_micros(*micros);
  price.set_currency(currency);
  return price;
}

std::int32_t CodeOf(const json& object) {
  const auto found = object.find("error_code");
  if (found == object.end() || !found->is_number_integer()) return 0;
  const auto code = found->get<std::int64_t>();
  return code > 0 && code < 1'000'000 ? static_cast<std::int32_t>(code) : 0;
}

}  // namespace

Result<BookEntry> ReadBooks(const std::string& body, std::string_view sid) {
  const json object = json::parse(body, nullptr, /*allow_exceptions=*/false);
  BookEntry books;
  if (object.is_object()) books.status = TextOf(object, "status");
  if (books.status.empty() || books.status.size() > kMaxWord || TextOf(object, "sid") != sid)
    return Fail(ErrorCode::kTwilioApiError, "Twilio's resource cannot be read");
  books.code = CodeOf(object);
  books.segments = NumberOf<std::uint32_t>(TextOf(object, "num_segments"), 100, 0);
  books.price = PriceOf(object);
  books.answered_by = TextOf(object, "answered_by").substr(0, kMaxWord);
  books.duration_seconds = NumberOf<std::int32_t>(TextOf(object, "duration"), 1'000'000, -1);
  const std::time_t updated = curl_getdate(TextOf(object, "date_updated").c_str(), nullptr);
  if (updated > 0) books.updated = WallTime(std::chrono::seconds(updated));
  return books;
}

Result<std::optional<BookEntry>> Books::Find(const Account& account, const std::string& sid,
                                             SteadyTime deadline) {
  const char* const kind = sid.starts_with("CA") ? "/Calls/" : "/Messages/";
  const std::string path =
      "/2010-04-01/Accounts/" + PercentEncode(account.sid) + kind + PercentEncode(sid) + ".json";
  const Result<std::string> body = rest_.Get(account, path, deadline);
  if (!body && body.error().code == ErrorCode::kNotFound) return std::optional<BookEntry>();
  if (!body) return Fail(body.error());
  TOCSIN_TRY(BookEntry books, ReadBooks(*body, sid));
  return std::optional(std::move(books));
}

}  // namespace tocsin::twilio
