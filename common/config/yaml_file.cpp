#include "common/config/yaml_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "common/config/yaml_documents.h"

namespace tocsin::config {
namespace {

constexpr size_t kKeyLimit = 64;  // bytes of a key in an error

int LineOf(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }

bool IsKey(const std::string& key) {
  return !key.empty() && key.size() <= kKeyLimit &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
         });
}

// A key as an error shows it: short, printable ASCII.
std::string Printable(std::string key) {
  if (key.size() > kKeyLimit) key = key.substr(0, kKeyLimit) + "...";
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

  void AddMap(const YAML::Node& map, const std::string& prefix, int depth) {
    for (const auto& entry : map) {
      if (file_.values.size() + file_.errors.size() >= kFileSettingLimit) return AddTooMany();
      const int line = LineOf(entry.first.Mark());
      if (!entry.first.IsScalar() || !IsKey(entry.first.Scalar())) {
        const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "(not a string)";
        AddError(prefix + Printable(key), line, "is not the name of a setting",
                 "use lower-case letters, digits and _");
        continue;
      }
      AddValue(prefix + entry.first.Scalar(), entry.second, line, depth);
    }
  }

 private:
  void AddValue(const std::string& key, const YAML::Node& node, int line, int depth) {
    if (node.IsMap()) {
      if (depth < kFileDepthLimit) return AddMap(node, key + '_', depth + 1);
      return AddError(key, line, "is nested too deeply",
                      "use at most " + std::to_string(kFileDepthLimit) + " levels of sections");
    }
    std::optional<std::string> text;
    if (node.IsScalar()) text = node.Scalar();
    if (node.IsSequence()) text = JoinedList(node);
    if (node.IsNull() || !node.IsDefined() || (text && text->empty()))
      return AddError(key, line, "has no value", "write a value or remove the line");
    if (!text)
      return AddError(key, line, "is a list of values that are not plain",
                      "list plain values without commas");
    const auto [earlier, is_new] = file_.values.emplace(key, YamlValue{*text, line});
    if (!is_new)
      AddError(key, line, "is given twice, first in line " + std::to_string(earlier->second.line),
               "remove one of the two lines");
  }

  void AddTooMany() {
    if (std::exchange(too_many_, true)) return;
    AddError("", 0, "has more than " + std::to_string(kFileSettingLimit) + " settings",
             "remove keys that are not settings, and YAML aliases that repeat sections");
  }

  void AddError(std::string key, int line, std::string reason, std::string fix) {
    file_.errors.push_back({std::move(key), line, std::move(reason), std::move(fix)});
  }

  YamlFile& file_;
  bool too_many_ = false;
};

}  // namespace

YamlFile ParseYaml(const std::string& text) {
  YamlFile file;
  try {
    if (const auto second = SecondYamlDocument(text)) {
      file.errors.push_back({"", LineOf(*second), "has text after the end of its document",
                             "remove the text, and the line --- if there is one"});
      return file;
    }
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return file;  // comments only
    if (!root.IsMap()) {
      file.errors.push_back({"", LineOf(root.Mark()), "is not a map of settings",
                             "write lines of the form NAME: VALUE"});
      return file;
    }
    Flattener(file).AddMap(root, "", 1);
  } catch (const YAML::Exception& error) {  // `msg` names the kind of error, not the content
    file = {};
    file.errors.push_back({"", LineOf(error.mark), "is not YAML: " + error.msg,
                           "correct the line, or the one before it"});
  }
  return file;
}

}  // namespace tocsin::config
