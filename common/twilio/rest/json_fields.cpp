#include "common/twilio/rest/json_fields.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace tocsin::twilio {
namespace {

constexpr std::int64_t kMaxErrorCode = 999'999;  // Twilio's have five digits

using nlohmann::json;

// Receives the tokens of a text and keeps the wanted members of the outermost object. As in an
// object that is built, the last one of several members with the same name counts.
class MemberReader final : public nlohmann::json_sax<json> {
 public:
  explicit MemberReader(std::initializer_list<std::string_view> names) : names_(names) {}

  json TakeMembers() { return std::move(members_); }

  bool null() override { return Keep(nullptr); }
  bool boolean(bool value) override { return Keep(value); }
  bool number_integer(std::int64_t value) override { return Keep(value); }
  bool number_unsigned(std::uint64_t value) override { return Keep(value); }
  bool number_float(double value, const std::string&) override { return Keep(value); }
  bool string(std::string& value) override { return Keep(std::move(value)); }
  bool binary(json::binary_t&) override { return false; }  // not in text
  bool start_object(std::size_t) override { return Enter(); }
  bool end_object() override { return Leave(); }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool key(std::string& name) override {
    wanted_ = depth_ == 1 && std::ranges::find(names_, name) != names_.end();
    if (wanted_) name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }

 private:
  template <typename Value>
  bool Keep(Value&& value) {
    if (wanted_) members_[name_] = std::forward<Value>(value);
    return true;
  }
  bool Enter() {
    Keep(nullptr);
    wanted_ = false;
    ++depth_;
    return true;
  }
  bool Leave() {
    --depth_;
    return true;
  }

  const std::initializer_list<std::string_view> names_;
  json members_ = json::object();
  std::string name_;
  bool wanted_ = false;  // the next value
  std::size_t depth_ = 0;
};

}  // namespace

json ParseMembers(const std::string& text, std::initializer_list<std::string_view> names) {
  MemberReader reader(names);
  return json::sax_parse(text, &reader) ? reader.TakeMembers() : json::object();
}

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
