// A YAML file of settings, flattened: `kafka: {bootstrap: x}` and `kafka_bootstrap: x` both say
// `kafka_bootstrap`. Nested keys are joined by "_", nothing else is done to them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::config {

constexpr size_t kFileLimit = 1024 * 1024;  // bytes of a file of settings
constexpr size_t kFileSettingLimit =
    1000;                           // settings in one file: a YAML alias can unfold without end
constexpr int kFileDepthLimit = 6;  // sections within sections

struct YamlValue {
  std::string text;  // a list of plain values becomes its values joined by commas
  int line = 0;      // counted from 1
};

struct YamlFault {
  std::string key;  // flattened; empty when the file as a whole is meant
  int line = 0;     // counted from 1; 0 when no line is to blame
  std::string reason;
  std::string fix;
};

struct YamlFile {
  std::map<std::string, YamlValue> values;
  std::vector<YamlFault> faults;  // broken YAML, duplicate keys, empty values, what is no setting
};

// Never throws and never repeats a value in a fault. A broken file gives its faults and no values.
YamlFile ParseYaml(const std::string& text);

}  // namespace tocsin::config
