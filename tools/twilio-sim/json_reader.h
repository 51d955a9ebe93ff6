// Reads control requests strictly: unknown members are errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "common/base/result.h"

namespace tocsin::sim {

// Reads the members of one object. Keeps the first error; Finish() returns it.
class JsonReader {
 public:
  // `where` names the object in errors. `json` outlives the reader.
  JsonReader(const nlohmann::json& json, std::string where);

  std::optional<std::string> Text(const std::string& name);
  std::optional<double> Number(const std::string& name, double min, double max);
  std::optional<std::int64_t> Integer(const std::string& name, std::int64_t min, std::int64_t max);
  std::optional<bool> Boolean(const std::string& name);
  // An integer, at most one hour.
  std::optional<std::chrono::milliseconds> Milliseconds(const std::string& name);
  // Any value; null if absent.
  const nlohmann::json* Value(const std::string& name);

  void AddError(const std::string& name, const std::string& reason);
  Result<void> Finish();  // also fails for members that were not read

 private:
  const nlohmann::json& json_;
  std::string where_;
  std::set<std::string> known_;
  std::optional<Error> error_;
};

}  // namespace tocsin::sim
