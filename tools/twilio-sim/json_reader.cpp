#include "tools/twilio-sim/json_reader.h"

#include <utility>

namespace tocsin::sim {
namespace {

constexpr std::int64_t kMaxDuration = 3'600'000;  // ms

}  // namespace

JsonReader::JsonReader(const nlohmann::json& json, std::string where)
    : json_(json), where_(std::move(where)) {
  if (!json_.is_object()) AddError("", "must be an object");
}

const nlohmann::json* JsonReader::Value(const std::string& name) {
  known_.insert(name);
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(name);
  return found == json_.end() ? nullptr : &*found;
}

std::optional<std::string> JsonReader::Text(const std::string& name) {
  const nlohmann::json* const value = Value(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  AddError(name, "must be a string");
  return std::nullopt;
}

std::optional<double> JsonReader::Number(const std::string& name, double min, double max) {
  const nlohmann::json* const value = Value(name);
  if (value == nullptr) return std::nullopt;
  const bool valid =
      value->is_number() && value->get<double>() >= min && value->get<double>() <= max;
  if (valid) return value->get<double>();
  AddError(name, "must be a number from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

std::optional<std::int64_t> JsonReader::Integer(const std::string& name, std::int64_t min,
                                                std::int64_t max) {
  const nlohmann::json* const value = Value(name);
  if (value == nullptr) return std::nullopt;
  const bool valid = value->is_number_integer() && value->get<std::int64_t>() >= min &&
                     value->get<std::int64_t>() <= max;
  if (valid) return value->get<std::int64_t>();
  AddError(name, "must be an integer from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

std::optional<bool> JsonReader::Boolean(const std::string& name) {
  const nlohmann::json* const value = Value(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  AddError(name, "must be true or false");
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> JsonReader::Milliseconds(const std::string& name) {
  const auto value = Integer(name, 0, kMaxDuration);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

void JsonReader::AddError(const std::string& name, const std::string& reason) {
  if (error_) return;
  const std::string field = name.empty() ? where_ : where_.empty() ? name : where_ + '.' + name;
  error_ =
      Error{.code = ErrorCode::kInvalidArgument, .message = field + ' ' + reason, .field = field};
}

Result<void> JsonReader::Finish() {
  if (json_.is_object()) {
    for (const auto& [name, value] : json_.items()) {
      if (!known_.contains(name)) AddError(name, "is unknown");
    }
  }
  if (error_) return Fail(*error_);
  return {};
}

}  // namespace tocsin::sim
