#include "tools/twilio-sim/webhooks/signature.h"

#include <set>
#include <utility>

#include "common/base/digest.h"

namespace tocsin::sim {

std::string Sign(const Secret& auth_token, std::string_view url, const FormFields& fields) {
  // A set: sorted by name, then value, and every pair once.
  const std::set<std::pair<std::string, std::string>> pairs(fields.begin(), fields.end());
  std::string message(url);
  for (const auto& [name, value] : pairs) {
    message += name;
    message += value;
  }
  return Base64Encode(HmacSha1(auth_token.Reveal(), message));
}

}  // namespace tocsin::sim
