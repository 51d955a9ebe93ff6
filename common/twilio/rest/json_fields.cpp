#include "common/twilio/rest/json_fields.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace tocsin::twilio {
namespace {

constexpr std::int64_t kMaxErrorCode = 999'999;  // Twilio's have five digits

}  // namespace

std::string StringMember(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int32_t ErrorCodeMember(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return 0;
  const auto code = found->get<std::int64_t>();
  return code > 0 && code <= kMaxErrorCode ? static_cast<std::int32_t>(code) : 0;
}

std::int32_t NumberMember(const nlohmann::json& object, const char* name, std::int32_t max,
                          std::int32_t otherwise) {
  const std::string text = StringMember(object, name);
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool valid = error == std::errc() && end == text.data() + text.size();
  return valid && number >= 0 && number <= max ? number : otherwise;
}

}  // namespace tocsin::twilio
