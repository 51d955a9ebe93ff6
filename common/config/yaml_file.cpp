#include "common/config/yaml_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace tocsin::config {
namespace {

constexpr size_t kShownKeyLimit = 64;  // bytes of a key in a fault

int LineOf(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }

bool IsKey(const std::string& key) {
  return !key.empty() && key.size() <= kShownKeyLimit &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
         });
}

// A key as it may be shown: whatever a file holds, the report stays readable.
std::string Shown(std::string key) {
  if (key.size() > kShownKeyLimit) key = key.substr(0, kShownKeyLimit) + "...";
  for (char& c : key)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return key;
}

std::optional<std::string> JoinedList(const YAML::Node& list) {
  std::string text;
  for (const YAML::Node& item : list) {
    if (!item.IsScalar() || item.Scalar().find(',') != std::string::npos) return std::nullopt;
    if (!text.empty()) text += ',';
    text += item.Scalar();
  }
  return text;
}

class Flattener {
 public:
  explicit Flattener(YamlFile& file) : file_(file) {}

  void Take(const YAML::Node& map, const std::string& prefix, int depth) {
    for (const auto& entry : map) {
      if (file_.values.size() + file_.faults.size() >= kFileSettingLimit) return TooMany();
      const int line = LineOf(entry.first.Mark());
      if (!entry.first.IsScalar() || !IsKey(entry.first.Scalar())) {
        const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "(not a word)";
        Fault(prefix + Shown(key), line, "is not a name of a setting",
              "write names in lower-case letters, digits and _");
        continue;
      }
      TakeValue(prefix + entry.first.Scalar(), entry.second, line, depth);
    }
  }

 private:
  void TakeValue(const std::string& key, const YAML::Node& node, int line, int depth) {
    if (node.IsMap()) {
      if (depth < kFileDepthLimit) return Take(node, key + '_', depth + 1);
      return Fault(key, line, "lies too deep",
                   "use at most " + std::to_string(kFileDepthLimit) + " levels of sections");
    }
    std::optional<std::string> text;
    if (node.IsScalar()) text = node.Scalar();
    if (node.IsSequence()) text = JoinedList(node);
    if (node.IsNull() || !node.IsDefined() || (text && text->empty()))
      return Fault(key, line, "has no value", "write a value or remove the line");
    if (!text)
      return Fault(key, line, "is a list of what are no plain values",
                   "list words without commas, or write one text");
    const auto [earlier, is_new] = file_.values.emplace(key, YamlValue{*text, line});
    if (!is_new)
      Fault(key, line, "is given twice, first in line " + std::to_string(earlier->second.line),
            "keep one of the two lines");
  }

  void TooMany() {
    if (std::exchange(too_many_, true)) return;
    Fault("", 0, "holds more than " + std::to_string(kFileSettingLimit) + " settings",
          "remove what is not a setting, and YAML aliases that repeat sections");
  }

  void Fault(std::string key, int line, std::string reason, std::string fix) {
    file_.faults.push_back({std::move(key), line, std::move(reason), std::move(fix)});
  }

  YamlFile& file_;
  bool too_many_ = false;
};

}  // namespace

YamlFile ParseYaml(const std::string& text) {
  YamlFile file;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      file.faults.push_back({"", LineOf(documents[1].Mark()), "holds more than one document",
                             "keep one document, without a line of ---"});
      return file;
    }
    if (documents.empty() || documents[0].IsNull()) return file;  // comments only
    if (!documents[0].IsMap()) {
      file.faults.push_back({"", LineOf(documents[0].Mark()), "is not a table of settings",
                             "write lines of the form NAME: VALUE"});
      return file;
    }
    Flattener(file).Take(documents[0], "", 1);
  } catch (const YAML::Exception& fault) {  // its `msg` names the kind of fault, not the content
    file = {};
    file.faults.push_back({"", LineOf(fault.mark), "is not YAML: " + fault.msg,
                           "mend the line, or the one before it"});
  }
  return file;
}

}  // namespace tocsin::config
