#include "tools/twilio-sim/voice/phone_control.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "tools/twilio-sim/formats.h"
#include "tools/twilio-sim/json_reader.h"

namespace tocsin::sim {
namespace {

constexpr double kMaxDuration = 86'400;  // call seconds
constexpr size_t kMaxKeys = 32;          // of one press
constexpr size_t kMaxPresses = 1000;
constexpr size_t kMaxScripts = 1000;  // of one number
constexpr const char* kKeys = "0123456789*#ABCD";

bool AreKeys(const std::string& text) {
  return text.size() <= kMaxKeys && text.find_first_not_of(kKeys) == std::string::npos;
}

std::optional<CallSeconds> SecondsIn(JsonReader& reader, const std::string& name) {
  const auto value = reader.Number(name, 0, kMaxDuration);
  return value ? std::optional(CallSeconds(*value)) : std::nullopt;
}

Result<KeyPress> ReadPress(const nlohmann::json& json, const std::string& where) {
  KeyPress press;
  if (json.is_string()) {
    press.digits = json.get<std::string>();
  } else {
    JsonReader reader(json, where);
    press.digits = reader.Text("digits").value_or("");
    press.after = SecondsIn(reader, "after_s");
    TOCSIN_CHECK_OK(reader.Finish());
  }
  if (!AreKeys(press.digits)) {
    return Fail(ErrorCode::kInvalidArgument, where + " must be up to 32 of 0-9 * # A-D");
  }
  return press;
}

Result<PhoneScript> ReadScript(const nlohmann::json& json, const std::string& where) {
  JsonReader reader(json, where);
  PhoneScript script;
  if (const auto name = reader.Text("answer")) {
    const auto pickup = PickupNamed(*name);
    if (!pickup) reader.AddError("answer", "is unknown");
    script.pickup = pickup.value_or(script.pickup);
  }
  if (const auto sip = reader.Integer("sip", 400, 699)) script.sip = static_cast<int>(*sip);
  script.ring = SecondsIn(reader, "ring_s").value_or(script.ring);
  script.greeting = SecondsIn(reader, "greeting_s").value_or(script.greeting);
  script.greeting_end = reader.Text("greeting_end").value_or(script.greeting_end);
  script.hang_up = SecondsIn(reader, "hang_up_after_s");
  const std::string& end = script.greeting_end;
  if (end != "beep" && end != "silence" && end != "other") {
    reader.AddError("greeting_end", "must be beep, silence or other");
  }
  if (const auto* keys = reader.Value("keys")) {
    if (!keys->is_array() || keys->size() > kMaxPresses) {
      reader.AddError("keys", "must be an array of at most 1000");
    } else {
      for (const auto& key : *keys) {
        TOCSIN_TRY(KeyPress press, ReadPress(key, where + ".keys"));
        script.keys.push_back(std::move(press));
      }
    }
  }
  TOCSIN_CHECK_OK(reader.Finish());
  return script;
}

}  // namespace

Result<void> SetPhones(State& state, const nlohmann::json& body) {
  if (!body.is_object()) return Fail(ErrorCode::kInvalidArgument, "the body must be an object");
  std::vector<std::pair<std::string, std::vector<PhoneScript>>> all;
  for (const auto& [number, json] : body.items()) {
    const bool others = number == "*";
    if (!others && !IsE164(number)) {
      return Fail(ErrorCode::kInvalidArgument, "\"" + number + "\" must be a number or *");
    }
    const nlohmann::json list = json.is_array() ? json : nlohmann::json::array({json});
    if (list.empty() || list.size() > (others ? 1 : kMaxScripts)) {
      return Fail(ErrorCode::kInvalidArgument,
                  number + " must have 1 to 1000 scripts (* only one)");
    }
    std::vector<PhoneScript> scripts;
    for (const auto& item : list) {
      TOCSIN_TRY(PhoneScript script, ReadScript(item, number));
      scripts.push_back(std::move(script));
    }
    all.emplace_back(number, std::move(scripts));
  }
  const std::lock_guard lock(state.mutex);
  for (auto& [number, scripts] : all) {
    if (number == "*") {
      state.phones.SetDefaultScript(std::move(scripts.front()));
    } else if (!state.phones.SetScript(number, std::move(scripts))) {
      return Fail(ErrorCode::kInvalidArgument, "too many numbers have scripts");
    }
  }
  return {};
}

Result<void> PerformPhoneAction(State& state, CallEngine& engine, const std::string& action,
                                const nlohmann::json& body, WallTime now) {
  JsonReader reader(body, "");
  const std::string sid = reader.Text("call").value_or("");
  std::string keys;
  if (action == "press") {
    keys = reader.Text("digits").value_or("");
    if (keys.empty() || !AreKeys(keys)) {
      reader.AddError("digits", "must be up to 32 of 0-9 * # A-D");
    }
  }
  TOCSIN_CHECK_OK(reader.Finish());
  const std::lock_guard lock(state.mutex);
  Call* const call = state.calls.FindBySid(sid);
  if (call == nullptr) return Fail(ErrorCode::kInvalidArgument, "call is unknown");
  const bool done = action == "answer"  ? engine.PickUp(*call, now)
                    : action == "press" ? engine.Press(*call, keys, now)
                                        : engine.HangUp(*call, now);
  if (!done) return Fail(ErrorCode::kInvalidArgument, "call is in the wrong state");
  return {};
}

}  // namespace tocsin::sim
