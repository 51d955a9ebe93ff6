// Twilio's resource of one message or call, as it stands.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/ports/carrier_books.h"
#include "common/twilio/rest.h"

namespace tocsin::twilio {

constexpr std::chrono::seconds kFetchLimit{5};  // for one answer

// Messages and calls, told apart by the SID. Asks for the resource itself: no list hides what was
// not sent yet, and nobody else's number or text is read.
class Books final : public CarrierBooks {
 public:
  explicit Books(RestSettings settings) : rest_(std::move(settings)) {}

  Result<std::optional<BookEntry>> Find(const Account& account, const std::string& sid,
                                        SteadyTime deadline) override;

 private:
  RestClient rest_;
};

// Twilio's resource. Pure. kTwilioApiError when it is none, or of another SID.
Result<BookEntry> ReadBooks(const std::string& body, std::string_view sid);

}  // namespace tocsin::twilio
