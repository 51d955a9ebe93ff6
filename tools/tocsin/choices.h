// Closed lists of values by name, for options and files.
#pragma once

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::cli {

template <typename Value>
using Choices = std::vector<std::pair<std::string_view, Value>>;

// Ignores case.
template <typename Value>
std::optional<Value> FindChoice(const Choices<Value>& choices, std::string_view text) {
  const auto equal = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  for (const auto& [name, value] : choices)
    if (std::equal(name.begin(), name.end(), text.begin(), text.end(), equal)) return value;
  return std::nullopt;
}

// The names in order.
template <typename Value>
std::string NamesOf(const Choices<Value>& choices, std::string_view separator) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (!names.empty()) names += separator;
    names += name;
  }
  return names;
}

}  // namespace tocsin::cli
