#include "common/domain/message/phone.h"

#include <phonenumbers/phonenumberutil.h>

#include "common/domain/message/nanp_region.h"

namespace tocsin {
namespace {

constexpr size_t kMaxWritten = 40;  // "+", 15 digits and punctuation
constexpr size_t kMaxDigits = 15;   // E.164, ITU-T
constexpr size_t kNanpLength = 12;  // "+1" and ten digits

Error NotAPhone(size_t length) {
  return {.code = ErrorCode::kInvalidPhoneFormat,
          .message = "not a possible phone number (" + std::to_string(length) +
                     " characters); write it as + and country code, such as +1 514 555 0123",
          .field = "to"};
}

// "+" and digits; empty if the text contains anything else.
std::string Compact(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else if (c == '+' && digits.empty()) {
      digits = "+";
    } else if (c != ' ' && c != '.' && c != '-' && c != '(' && c != ')') {
      return {};
    }
  }
  return digits;
}

// Whether it is a complete North American number, which is possible by its form alone. Most numbers
// are.
bool IsNanp(std::string_view compact) {
  return compact.size() == kNanpLength && compact[1] == '1' && compact[2] >= '2';
}

}  // namespace

Result<Phone> Phone::Parse(std::string_view text) {
  const std::string compact = text.size() <= kMaxWritten ? Compact(text) : std::string();
  if (compact.size() < 3 || compact.size() > kMaxDigits + 1 || compact.front() != '+')
    return Fail(NotAPhone(text.size()));
  if (IsNanp(compact)) {
    std::string region = NanpRegion(std::string_view(compact).substr(2));
    return Phone(compact, std::move(region));
  }
  namespace lib = i18n::phonenumbers;
  const lib::PhoneNumberUtil& util = *lib::PhoneNumberUtil::GetInstance();
  lib::PhoneNumber number;
  if (util.Parse(compact, "ZZ", &number) != lib::PhoneNumberUtil::NO_PARSING_ERROR ||
      util.IsPossibleNumberWithReason(number) != lib::PhoneNumberUtil::IS_POSSIBLE)
    return Fail(NotAPhone(text.size()));
  std::string e164;
  util.Format(number, lib::PhoneNumberUtil::E164, &e164);
  if (e164.size() < 6) return Fail(NotAPhone(text.size()));  // too short to have last four digits
  std::string region_code;
  util.GetRegionCodeForCountryCode(number.country_code(), &region_code);
  std::string region;
  util.GetRegionCodeForNumber(number, &region);  // finer, but only for numbers in known ranges
  if (region != "ZZ") region_code = region;
  return Phone(std::move(e164), region_code == "ZZ" ? "001" : std::move(region_code));
}

}  // namespace tocsin
