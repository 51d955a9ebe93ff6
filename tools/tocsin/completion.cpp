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

using Places = std::vector<std::pair<std::string, const CLI::App*>>;  // "dlq list" and its verb

void AddPlaces(const CLI::App& app, const std::string& path, Places& places) {
  places.emplace_back(path, &app);
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    AddPlaces(*verb, path.empty() ? verb->get_name() : path + ' ' + verb->get_name(), places);
}

Places PlacesOf(const CLI::App& app) {
  Places places;
  AddPlaces(app, "", places);
  return places;
}

void PrintZsh(const CLI::App& app) {
  std::cout << "#compdef tocsin\n"
               "# source <(tocsin completion zsh), or a file _tocsin in a folder of $fpath\n"
               "_tocsin() {\n"
               "  local verbs='' word longer\n"
               "  case ${words[CURRENT-1]} in\n"
               "    (--output) compadd -- json table; return ;;\n"
               "    (--*file|--file|--journal|--form|--json|--out) _files; return ;;\n"
               "  esac\n"
               "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
               "    longer=${verbs:+$verbs }$word\n"
               "    case $longer in\n";
  const Places places = PlacesOf(app);
  for (const auto& [path, verb] : places)
    if (!path.empty()) std::cout << "      ('" << path << "') verbs=$longer ;;\n";
  std::cout << "    esac\n"
               "  done\n"
               "  case $verbs in\n";
  for (const auto& [path, verb] : places)
    std::cout << "    ('" << path << "') compadd -- " << WordsOf(*verb) << " ;;\n";
  std::cout << "  esac\n"
               "  [[ $verbs != bulk ]] || _files\n"
               "}\n"
               "if [[ ${funcstack[1]} == _tocsin ]]; then _tocsin \"$@\"; else compdef _tocsin "
               "tocsin; fi\n";
}

void PrintFish(const CLI::App& app) {
  const Places places = PlacesOf(app);
  std::cout << "# tocsin completion fish | source\n"
               "function __tocsin_at\n"
               "    set -l at ''\n"
               "    set -l before (commandline -opc)\n"
               "    for word in $before[2..-1]\n"
               "        set -l longer (string trim -- \"$at $word\")\n"
               "        contains -- $longer";
  for (const auto& [path, verb] : places)
    if (!path.empty()) std::cout << " '" << path << '\'';
  std::cout << "\n"
               "        and set at $longer\n"
               "    end\n"
               "    test \"$at\" = \"$argv[1]\"\n"
               "end\n"
               "complete -c tocsin -f\n"
               "complete -c tocsin -n '__tocsin_at bulk' -F\n";
  for (const auto& [path, verb] : places)
    std::cout << "complete -c tocsin -n '__tocsin_at \"" << path << "\"' -a '" << WordsOf(*verb)
              << "'\n";
}

using Print = void (*)(const CLI::App&);

void AddShell(CLI::App& completion, const CLI::App& app, const char* name, const char* help,
              Print print, Action& action) {
  completion.add_subcommand(name, help)->callback([&app, &action, print] {
    action = [&app, print](const Common&) {
      print(app);
      return kDone;
    };
  });
}

}  // namespace

void AddCompletion(CLI::App& app, Action& action) {
  CLI::App& completion = *app.add_subcommand("completion", "completion of words for a shell");
  completion.require_subcommand(1);
  AddShell(completion, app, "bash", "to be sourced: source <(tocsin completion bash)", PrintBash,
           action);
  AddShell(completion, app, "zsh", "to be sourced: source <(tocsin completion zsh)", PrintZsh,
           action);
  AddShell(completion, app, "fish", "to be sourced: tocsin completion fish | source", PrintFish,
           action);
}

}  // namespace tocsin::cli
