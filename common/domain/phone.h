// A phone number in E.164 form.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tocsin {

// To hold one is to know that it is well formed: Parse() is the only way to make it. Immutable
// value, safe to share between threads.
class Phone {
 public:
  // Accepts "+" and digits that libphonenumber calls possible (E.164, ITU-T; whether a number is in
  // use is not asked); spaces, dots, dashes, parentheses are skipped. Fails with
  // kInvalidPhoneFormat; the message shows the length, never the digits.
  static Result<Phone> Parse(std::string_view text);

  const std::string& E164() const { return e164_; }        // for the carrier and the cipher only
  const std::string& Country() const { return country_; }  // ISO 3166 region, "001" for none
  std::string LastFour() const { return e164_.substr(e164_.size() - 4); }
  std::string Redacted() const;  // "*******0123": for people and logs

 private:
  Phone(std::string e164, std::string country)
      : e164_(std::move(e164)), country_(std::move(country)) {}

  std::string e164_;
  std::string country_;
};

}  // namespace tocsin
