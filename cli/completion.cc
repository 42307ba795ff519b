#include "cli/completion.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hv::cli {
namespace {

std::vector<const CLI::App*> Shown(const CLI::App& app) {
  std::vector<const CLI::App*> shown;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) shown.push_back(command);
  }
  return shown;
}

// The commands that do something, groups apart.
std::vector<const CLI::App*> Leaves(const CLI::App& app) {
  std::vector<const CLI::App*> leaves;
  for (const CLI::App* command : Shown(app)) {
    const auto below = Leaves(*command);
    leaves.insert(leaves.end(), below.begin(), below.end());
    if (below.empty()) leaves.push_back(command);
  }
  return leaves;
}

std::string ShownNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : Shown(app)) names.push_back(command->get_name());
  return absl::StrJoin(names, " ");
}

std::string Flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return absl::StrJoin(flags, " ");
}

// A `case` for each command under `app`; `before`: the words that lead there.
std::string Cases(const CLI::App& app, const std::string& before, const std::string& general) {
  std::string cases;
  for (const CLI::App* command : Shown(app)) {
    const std::string words = before + command->get_name();
    const bool machine = command->get_option_no_throw("machine") != nullptr;
    const bool shell = command->get_option_no_throw("shell") != nullptr;
    absl::StrAppend(&cases, "    '", words, "') words=\"",
                    Shown(*command).empty() ? "" : ShownNames(*command) + " ", Flags(*command), " ",
                    general, "\"", machine ? "; names=1" : "",
                    shell ? "; words=\"bash $words\"" : "", " ;;\n",
                    Cases(*command, words + " ", general));
  }
  return cases;
}

// Commands that another word belongs to, as alternatives of a bash `case`.
std::string Groups(const CLI::App& app) {
  std::vector<std::string> groups;
  for (const CLI::App* command : Shown(app)) {
    if (!Shown(*command).empty()) groups.push_back(command->get_name());
  }
  return absl::StrJoin(groups, "|");
}

// Options whose value is of a certain kind, as alternatives of a bash `case`.
std::string Taking(const CLI::App& app, const std::vector<std::string>& types) {
  std::vector<std::string> names;
  for (const CLI::App* command : Leaves(app)) {
    for (const CLI::Option* option : command->get_options()) {
      const bool wanted =
          std::find(types.begin(), types.end(), option->get_type_name()) != types.end();
      for (const std::string& name : option->get_lnames()) {
        if (wanted) names.push_back("--" + name);
      }
    }
  }
  return absl::StrJoin(names, "|");
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  return absl::StrCat(
      "_hvctl() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local command= words= names= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "    --socket|--libexec) ((i++)) ;;\n"
      "    -*) ;;\n"
      "    *) command=${command:+$command }${COMP_WORDS[i]}\n"
      "       case $command in ",
      Groups(app),
      ") ;; *) break ;; esac ;;\n"
      "    esac\n"
      "  done\n"
      "  case $before in\n"
      "    --socket|--libexec|",
      Taking(app, {"FILE", "FILE[ TEXT]"}),
      ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
      "    --engine) COMPREPLY=($(compgen -W 'auto soft kvm' -- \"$word\")); return ;;\n"
      "    --paging) COMPREPLY=($(compgen -W 'auto demand host' -- \"$word\")); return ;;\n"
      "  esac\n"
      "  case $command in\n"
      "    '') words=\"",
      ShownNames(app), " ", Flags(app), "\" ;;\n", Cases(app, "", Flags(app)),
      "  esac\n"
      "  if [[ -n $names && $word != -* ]]; then\n"
      "    words=$(hvctl ps --quiet 2>/dev/null)\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -o filenames -F _hvctl hvctl\n");
}

}  // namespace hv::cli
