// What the carrier has on its books of one message or call: for what no callback told.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/open_try.h"
#include "common/domain/registry.h"

namespace tocsin {

class CarrierBooks {
 public:
  virtual ~CarrierBooks() = default;

  // Nothing when the carrier knows no such SID. kTwilioApiError when it does not answer, or with
  // what cannot be read. Blocks, never past `deadline`. Safe to call from several threads.
  virtual Result<std::optional<BookEntry>> Find(const Account& account, const std::string& sid,
                                                SteadyTime deadline) = 0;
};

}  // namespace tocsin
