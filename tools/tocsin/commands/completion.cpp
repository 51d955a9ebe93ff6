// tocsin completion: prints completion scripts for shells.
#include <iostream>
#include <string>
#include <vector>

#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

// A verb with its path: "dlq list"; empty for `tocsin` itself.
struct Verb {
  std::string path;
  const CLI::App* command;
};

std::vector<const CLI::App*> VisibleVerbs(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

void CollectVerbs(const CLI::App& app, const std::string& path, std::vector<Verb>& verbs) {
  verbs.push_back({path, &app});
  for (const CLI::App* verb : VisibleVerbs(app))
    CollectVerbs(*verb, path.empty() ? verb->get_name() : path + ' ' + verb->get_name(), verbs);
}

std::vector<Verb> VerbsOf(const CLI::App& app) {
  std::vector<Verb> verbs;
  CollectVerbs(app, "", verbs);
  return verbs;
}

// An option with a value at one verb.
struct ValueOption {
  std::string place;                // "dlq list --state"
  std::vector<std::string> values;  // empty: files
};

std::vector<ValueOption> ValueOptionsOf(const std::vector<Verb>& verbs) {
  std::vector<ValueOption> options;
  for (const Verb& verb : verbs) {
    for (const CLI::Option* option : verb.command->get_options()) {
      std::vector<std::string> values = ValuesOf(*option);
      if (option->get_group().empty() || option->get_lnames().empty()) continue;
      if (!values.empty() || option->get_type_name() == kFile)
        options.push_back({verb.path + " --" + option->get_lnames().front(), std::move(values)});
    }
  }
  return options;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The verbs and options that may follow a verb.
std::string WordsOf(const Verb& verb) {
  std::vector<std::string> words;
  for (const CLI::App* inner : VisibleVerbs(*verb.command)) words.push_back(inner->get_name());
  for (const CLI::Option* option : verb.command->get_options())
    if (!option->get_group().empty())
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  if (!verb.path.empty()) words.emplace_back("--output");
  return Joined(words);
}

void PrintQuotedPaths(const std::vector<Verb>& verbs, const char* separator) {
  const char* before = "";
  for (const Verb& verb : verbs) {
    if (verb.path.empty()) continue;
    std::cout << before << '\'' << verb.path << '\'';
    before = separator;
  }
}

// The words before the cursor give the path of the verb. The last word may be an option with
// values.
void PrintBash(const CLI::App& app) {
  const std::vector<Verb> verbs = VerbsOf(app);
  std::cout << "# source <(tocsin completion bash)\n"
               "_tocsin() {\n"
               "  local current=${COMP_WORDS[COMP_CWORD]} path='' words='' word longer\n"
               "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
               "    longer=${path:+$path }$word\n"
               "    case $longer in\n"
               "      ";
  PrintQuotedPaths(verbs, " | ");
  std::cout << ") path=$longer ;;\n"
               "    esac\n"
               "  done\n"
               "  case \"$path ${COMP_WORDS[COMP_CWORD - 1]}\" in\n"
               "    *' --output') words='json table' ;;\n";
  for (const ValueOption& option : ValueOptionsOf(verbs)) {
    std::cout << "    '" << option.place << "') ";
    if (option.values.empty())
      std::cout << "mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n";
    else
      std::cout << "words='" << Joined(option.values) << "' ;;\n";
  }
  std::cout << "    *) case $path in\n";
  for (const Verb& verb : verbs)
    std::cout << "      '" << verb.path << "') words='" << WordsOf(verb) << "' ;;\n";
  std::cout << "    esac ;;\n"
               "  esac\n"
               "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
               "  [[ ${#COMPREPLY[@]} -gt 0 || $path != bulk ]] || mapfile -t COMPREPLY < "
               "<(compgen -f -- \"$current\")\n"
               "}\n"
               "complete -F _tocsin tocsin\n";
}

void PrintZsh(const CLI::App& app) {
  const std::vector<Verb> verbs = VerbsOf(app);
  std::cout << "#compdef tocsin\n"
               "# source <(tocsin completion zsh), or a file _tocsin in a directory of $fpath\n"
               "_tocsin() {\n"
               "  local verbs='' word longer\n"
               "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
               "    longer=${verbs:+$verbs }$word\n"
               "    case $longer in\n";
  for (const Verb& verb : verbs)
    if (!verb.path.empty()) std::cout << "      ('" << verb.path << "') verbs=$longer ;;\n";
  std::cout << "    esac\n"
               "  done\n"
               "  case \"$verbs ${words[CURRENT-1]}\" in\n"
               "    (*' --output') compadd -- json table; return ;;\n";
  for (const ValueOption& option : ValueOptionsOf(verbs))
    std::cout << "    ('" << option.place << "') "
              << (option.values.empty() ? "_files" : "compadd -- " + Joined(option.values))
              << "; return ;;\n";
  std::cout << "  esac\n"
               "  case $verbs in\n";
  for (const Verb& verb : verbs)
    std::cout << "    ('" << verb.path << "') compadd -- " << WordsOf(verb) << " ;;\n";
  std::cout << "  esac\n"
               "  [[ $verbs != bulk ]] || _files\n"
               "}\n"
               "if [[ ${funcstack[1]} == _tocsin ]]; then _tocsin \"$@\"; else compdef _tocsin "
               "tocsin; fi\n";
}

void PrintFish(const CLI::App& app) {
  const std::vector<Verb> verbs = VerbsOf(app);
  std::cout << "# tocsin completion fish | source\n"
               "function __tocsin_at --argument-names path option\n"
               "    set -l at ''\n"
               "    set -l before (commandline -opc)\n"
               "    for word in $before[2..-1]\n"
               "        set -l longer (string trim -- \"$at $word\")\n"
               "        contains -- $longer ";
  PrintQuotedPaths(verbs, " ");
  std::cout << "\n"
               "        and set at $longer\n"
               "    end\n"
               "    test \"$at\" = \"$path\"; or return 1\n"
               "    test -z \"$option\"; or test \"$before[-1]\" = \"$option\"\n"
               "end\n"
               "complete -c tocsin -f\n"
               "complete -c tocsin -n '__tocsin_at bulk' -F\n";
  for (const Verb& verb : verbs)
    std::cout << "complete -c tocsin -n '__tocsin_at \"" << verb.path << "\"' -a '" << WordsOf(verb)
              << "'\n";
  for (const ValueOption& option : ValueOptionsOf(verbs)) {
    const size_t flag = option.place.rfind(' ');
    std::cout << "complete -c tocsin -n '__tocsin_at \"" << option.place.substr(0, flag) << "\" "
              << option.place.substr(flag + 1) << '\'';
    if (option.values.empty())
      std::cout << " -F\n";
    else
      std::cout << " -a '" << Joined(option.values) << "'\n";
  }
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
  CLI::App& completion = *app.add_subcommand("completion", "print a completion script for a shell");
  completion.require_subcommand(1);
  AddShell(completion, app, "bash", "usage: source <(tocsin completion bash)", PrintBash, action);
  AddShell(completion, app, "zsh", "usage: source <(tocsin completion zsh)", PrintZsh, action);
  AddShell(completion, app, "fish", "usage: tocsin completion fish | source", PrintFish, action);
}

}  // namespace tocsin::cli
