#include "common/domain/message/pii.h"

#include <phonenumbers/phonenumberutil.h>

#include <algorithm>

#include "common/domain/message/phone.h"

namespace tocsin {
namespace {

namespace lib = i18n::phonenumbers;

constexpr size_t kMinInternationalDigits = 7;  // after "+"; "UTC+0530" has four
constexpr size_t kMinNationalDigits = 10;
constexpr size_t kMaxPhoneDigits = 15;  // E.164
constexpr size_t kMinCardDigits = 13;   // ISO/IEC 7812
constexpr size_t kMaxCardDigits = 19;
constexpr size_t kMinTopLevelDomain = 2;
constexpr std::string_view kSeparators = " .-()/";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsSeparator(char c) { return kSeparators.find(c) != std::string_view::npos; }
bool IsNotAscii(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool IsWordCharacter(char c) { return IsDigit(c) || IsLetter(c) || c == '_' || IsNotAscii(c); }

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The digits of a text that has only digits and separators; else empty.
std::string OnlyDigits(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (IsDigit(c)) {
      digits += c;
    } else if (!IsSeparator(c)) {
      return {};
    }
  }
  return digits;
}

// "+" and digits between word boundaries, such as in "tel:+1 514 555 0123".
bool HasInternationalNumber(std::string_view text) {
  for (size_t at = text.find('+'); at != std::string_view::npos; at = text.find('+', at + 1)) {
    if (at > 0 && IsWordCharacter(text[at - 1])) continue;
    std::string number = "+";
    size_t end = at + 1;  // behind the last digit
    for (size_t i = end; i < text.size() && number.size() <= kMaxPhoneDigits &&
                         (IsDigit(text[i]) || IsSeparator(text[i]));
         ++i) {
      if (!IsDigit(text[i])) continue;
      number += text[i];
      end = i + 1;
    }
    if (end < text.size() && IsWordCharacter(text[end])) continue;
    if (number.size() > kMinInternationalDigits && Phone::Parse(number)) return true;
  }
  return false;
}

// Whether ten digits are a date and an hour, such as 2026112210. Ids are often made of these.
bool IsDateAndHour(std::string_view digits) {
  if (digits.size() != 10 || (!digits.starts_with("19") && !digits.starts_with("20"))) return false;
  const auto number = [&](size_t at) { return (digits[at] - '0') * 10 + digits[at + 1] - '0'; };
  return number(4) >= 1 && number(4) <= 12 && number(6) >= 1 && number(6) <= 31 && number(8) < 24;
}

// Such as 212.55.51.234, whose digits alone could be a number.
bool IsIpv4Address(std::string_view text) {
  size_t dots = 0, digits = 0;
  for (const char c : text) {
    if (c == '.' && digits > 0) {
      ++dots;
      digits = 0;
    } else if (!IsDigit(c) || ++digits > 3) {
      return false;
    }
  }
  return dots == 3 && digits > 0;
}

// Whether people in the region would write the digits to dial a number in it: with the trunk prefix
// (such as 0), where there is one, or with the country code. Without this any ten digits would be a
// number in regions such as Germany.
bool HasDialledForm(const lib::PhoneNumberUtil& util, const std::string& digits,
                    const std::string& region) {
  const int country_code = util.GetCountryCodeForRegion(region);
  if (country_code == 1) return true;
  std::string trunk;
  util.GetNddPrefixForRegion(region, true, &trunk);
  return trunk.empty() || digits.starts_with(trunk) ||
         digits.starts_with(std::to_string(country_code));
}

bool IsNationalNumber(std::string_view text, std::span<const std::string> regions) {
  const std::string digits = OnlyDigits(text);
  if (digits.size() < kMinNationalDigits || digits.size() > kMaxPhoneDigits ||
      IsDateAndHour(digits) || IsIpv4Address(text))
    return false;
  const lib::PhoneNumberUtil& util = *lib::PhoneNumberUtil::GetInstance();
  return std::ranges::any_of(regions, [&](const std::string& region) {
    lib::PhoneNumber number;
    return HasDialledForm(util, digits, region) &&
           util.Parse(digits, region, &number) == lib::PhoneNumberUtil::NO_PARSING_ERROR &&
           util.IsValidNumber(number);
  });
}

bool IsLocalPart(char c) {
  return IsWordCharacter(c) || c == '.' || c == '-' || c == '+' || c == '%' || c == '\'';
}

// The length of the host name at the start of the text if it has a top-level domain of letters;
// else 0.
size_t HostLength(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && (IsDigit(text[end]) || IsLetter(text[end]) || text[end] == '-' ||
                               text[end] == '.' || IsNotAscii(text[end])))
    ++end;
  while (end > 0 && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
  const std::string_view host = text.substr(0, end);
  const size_t dot = host.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || host.front() == '-') return 0;
  const std::string_view top = host.substr(dot + 1);
  const bool letters =
      std::ranges::all_of(top, [](char c) { return IsLetter(c) || IsNotAscii(c); });
  return top.size() >= kMinTopLevelDomain && letters ? end : 0;
}

bool HasEmailAddress(std::string_view text) {
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1))
    if (at > 0 && IsLocalPart(text[at - 1]) && HostLength(text.substr(at + 1)) > 0) return true;
  return false;
}

bool HasLuhnCheckDigit(std::string_view digits) {
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

// 3 to 6: American Express, JCB, Diners Club, Visa, Mastercard, Discover, UnionPay, Maestro; 22 to
// 27: Mastercard. Without this a tenth of all time stamps in milliseconds would be cards.
bool HasNetworkPrefix(std::string_view digits) {
  return (digits[0] >= '3' && digits[0] <= '6') ||
         (digits[0] == '2' && digits[1] >= '2' && digits[1] <= '7' && digits.size() == 16);
}

bool IsPaymentCard(std::string_view text) {
  const std::string digits = OnlyDigits(text);
  return digits.size() >= kMinCardDigits && digits.size() <= kMaxCardDigits &&
         HasNetworkPrefix(digits) && HasLuhnCheckDigit(digits);
}

}  // namespace

std::string_view NameOf(PiiKind kind) {
  switch (kind) {
    case PiiKind::kPhoneNumber: return "a phone number";
    case PiiKind::kEmailAddress: return "an e-mail address";
    case PiiKind::kPaymentCard: return "a payment card number";
  }
  return "personal data";
}

std::optional<PiiKind> FindPii(std::string_view text, std::span<const std::string> regions) {
  text = Trimmed(text);
  if (HasEmailAddress(text)) return PiiKind::kEmailAddress;
  if (HasInternationalNumber(text)) return PiiKind::kPhoneNumber;
  if (IsPaymentCard(text)) return PiiKind::kPaymentCard;
  if (IsNationalNumber(text, regions)) return PiiKind::kPhoneNumber;
  return std::nullopt;
}

}  // namespace tocsin
