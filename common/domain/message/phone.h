// A phone number in E.164 form.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tocsin {

// An instance is always well formed: Parse() is the only way to make one. Immutable value, safe to
// share between threads.
class Phone {
 public:
  // Accepts "+" and digits that libphonenumber calls possible (ITU-T E.164; whether a number is in
  // use is not checked); ignores spaces, dots, dashes, parentheses. Fails with kInvalidPhoneFormat;
  // the message gives the length, never the digits.
  static Result<Phone> Parse(std::string_view text);

  const std::string& E164() const { return e164_; }  // for the provider and the cipher only
  const std::string& RegionCode() const { return region_code_; }           // CLDR; "001" for none
  std::string LastFour() const { return e164_.substr(e164_.size() - 4); }  // for people

 private:
  Phone(std::string e164, std::string region_code)
      : e164_(std::move(e164)), region_code_(std::move(region_code)) {}

  std::string e164_;
  std::string region_code_;
};

}  // namespace tocsin
