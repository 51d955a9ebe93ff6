#include <iostream>

#include "tools/tocsin/command.h"

namespace tocsin::cli {
namespace {

// Every word that may stand behind `path`: verbs and long options.
std::string WordsOf(const CLI::App& app) {
  std::string words;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    words += verb->get_name() + ' ';
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) words += "--" + name + ' ';
  for (const CLI::App* above = app.get_parent(); above != nullptr; above = above->get_parent())
    if (above->get_parent() == nullptr) words += "--output ";
  if (!words.empty()) words.pop_back();
  return words;
}

void PrintCases(const CLI::App& app, const std::string& path) {
  std::cout << "    '" << path << "') words='" << WordsOf(app) << "' ;;\n";
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    PrintCases(*verb, path.empty() ? verb->get_name() : path + ' ' + verb->get_name());
}

// The verbs before the cursor make a path; what may follow it is listed by path.
void PrintBash(const CLI::App& app) {
  std::cout << "# source <(tocsin completion bash)\n"
               "_tocsin() {\n"
               "  local current=${COMP_WORDS[COMP_CWORD]} path='' words='' word longer\n"
               "  case ${COMP_WORDS[COMP_CWORD - 1]} in\n"
               "    --output) mapfile -t COMPREPLY < <(compgen -W 'json table' -- \"$current\"); "
               "return ;;\n"
               "    --*file | --file | --journal) mapfile -t COMPREPLY < <(compgen -f -- "
               "\"$current\"); return ;;\n"
               "  esac\n"
               "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
               "    longer=${path:+$path }$word\n"
               "    case $longer in\n";
  std::cout << "      ";
  const char* separator = "";
  std::function<void(const CLI::App&, const std::string&)> paths = [&](const CLI::App& of,
                                                                       const std::string& path) {
    for (const CLI::App* verb : of.get_subcommands([](const CLI::App*) { return true; })) {
      const std::string longer = path.empty() ? verb->get_name() : path + ' ' + verb->get_name();
      std::cout << separator << '\'' << longer << '\'';
      separator = " | ";
      paths(*verb, longer);
    }
  };
  paths(app, "");
  std::cout << ") path=$longer ;;\n"
               "    esac\n"
               "  done\n"
               "  case $path in\n";
  PrintCases(app, "");
  std::cout << "  esac\n"
               "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
               "  [[ ${#COMPREPLY[@]} -gt 0 || $path != bulk ]] || mapfile -t COMPREPLY < "
               "<(compgen -f -- \"$current\")\n"
               "}\n"
               "complete -F _tocsin tocsin\n";
}

}  // namespace

void AddCompletion(CLI::App& app, Action& action) {
  CLI::App& completion = *app.add_subcommand("completion", "completion of words for a shell");
  completion.require_subcommand(1);
  CLI::App& bash =
      *completion.add_subcommand("bash", "to be sourced: source <(tocsin completion bash)");
  bash.callback([&app, &action] {
    action = [&app](const Common&) {
      PrintBash(app);
      return kDone;
    };
  });
}

}  // namespace tocsin::cli
