// A YAML file of settings, flattened: `kafka: {bootstrap: x}` and `kafka_bootstrap: x` both set
// `kafka_bootstrap`. Nested keys are joined by "_".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::config {

constexpr size_t kFileLimit = 1024 * 1024;  // bytes of a file of settings
constexpr size_t kFileSettingLimit =
    1000;                           // settings of one file; YAML aliases can expand without limit
constexpr int kFileDepthLimit = 6;  // nested sections

struct YamlValue {
  std::string text;  // a list becomes its values joined by commas
  int line = 0;      // from 1
};

struct YamlError {
  std::string key;  // flattened; empty: the file as a whole
  int line = 0;     // from 1; 0 if unknown
  std::string reason;
  std::string fix;
};

struct YamlFile {
  std::map<std::string, YamlValue> values;
  std::vector<YamlError> errors;  // syntax errors, duplicate keys, empty or invalid values
};

// Does not throw. Errors never contain a value. A file that is not YAML has no values.
YamlFile ParseYaml(const std::string& text);

}  // namespace tocsin::config
