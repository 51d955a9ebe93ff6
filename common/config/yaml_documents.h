// Where the documents of a YAML text begin.
#pragma once

#include <yaml-cpp/mark.h>

#include <optional>
#include <string>

namespace tocsin::config {

// Where the second document begins, if there is one; also of a text that begins with a comma, which
// follows an empty document for yaml-cpp. Use it instead of YAML::LoadAll(), which never returns
// for such a text. Throws YAML::Exception if the text is not YAML.
std::optional<YAML::Mark> SecondYamlDocument(const std::string& text);

}  // namespace tocsin::config
