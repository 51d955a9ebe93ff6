// Options of commands.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tocsin/choices.h"

namespace tocsin::cli {

// Placeholders of options in --help. The completion offers files for kFile and the reasons of the
// closed list for kReason.
constexpr const char* kFile = "FILE";
constexpr const char* kReason = "REASON";
constexpr const char* kSeconds = "SECONDS";
constexpr const char* kTime = "TIME";
constexpr const char* kText = "TEXT";

// An old name of an option or verb: accepted, but absent from --help and the completion.
CLI::Option* Hide(CLI::Option* option);
CLI::App* Hide(CLI::App* command);

// "{emergency,high}" in --help.
template <typename Value>
std::string PlaceholderOf(const Choices<Value>& choices) {
  return '{' + NamesOf(choices, ",") + '}';
}

template <typename Value>
CLI::Validator IsChoice(const Choices<Value>& choices) {
  return CLI::Validator(
      [choices](const std::string& text) {
        if (FindChoice(choices, text)) return std::string();
        return text + " is not one of " + NamesOf(choices, ", ");
      },
      "");
}

// An option with one value of a closed list.
template <typename Value>
CLI::Option* AddChoice(CLI::App& command, const std::string& name, Value& value,
                       const Choices<Value>& choices, const std::string& help) {
  return command
      .add_option_function<std::string>(
          name, [&value, choices](const std::string& text) { value = *FindChoice(choices, text); },
          help)
      ->check(IsChoice(choices))
      ->type_name(PlaceholderOf(choices));
}

// The same, repeatable.
template <typename Value>
CLI::Option* AddChoices(CLI::App& command, const std::string& name, std::vector<Value>& values,
                        const Choices<Value>& choices, const std::string& help) {
  return command
      .add_option_function<std::vector<std::string>>(
          name,
          [&values, choices](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) values.push_back(*FindChoice(choices, text));
          },
          help)
      ->check(IsChoice(choices))
      ->type_name(PlaceholderOf(choices));
}

// An option in seconds from `min` to `max`. `help` gets the range and the default.
CLI::Option* AddSeconds(CLI::App& command, const std::string& name, double& seconds, double min,
                        double max, const std::string& help);

// An option with the largest number of results, from 1 to `max`.
CLI::Option* AddLimit(CLI::App& command, int& limit, int max);

// Values that the completion offers for an option; empty: none are known.
std::vector<std::string> ValuesOf(const CLI::Option& option);

// The names of all reasons, in the order of the closed list.
std::vector<std::string> ReasonNames();

}  // namespace tocsin::cli
