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

std::string Flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return absl::StrJoin(flags, " ");
}

// Options whose value is of a certain kind, as alternatives of a bash `case`.
std::string Taking(const CLI::App& app, const std::vector<std::string>& types) {
  std::vector<std::string> names;
  for (const CLI::App* command : Shown(app)) {
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
  std::vector<std::string> commands;
  std::string cases;
  for (const CLI::App* command : Shown(app)) {
    commands.push_back(command->get_name());
    const bool machine = command->get_option_no_throw("machine") != nullptr;
    const bool shell = command->get_option_no_throw("shell") != nullptr;
    absl::StrAppend(&cases, "    ", command->get_name(), ") words=\"", Flags(*command), " ",
                    Flags(app), "\"", machine ? "; names=1" : "",
                    shell ? "; words=\"bash $words\"" : "", " ;;\n");
  }
  return absl::StrCat(
      "_hvctl() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local command= words= names= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "    --socket|--libexec) ((i++)) ;;\n"
      "    -*) ;;\n"
      "    *) command=${COMP_WORDS[i]}; break ;;\n"
      "    esac\n"
      "  done\n"
      "  case $before in\n"
      "    --socket|--libexec|",
      Taking(app, {"FILE", "FILE[ TEXT]"}),
      ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
      "    --engine) COMPREPLY=($(compgen -W 'auto soft' -- \"$word\")); return ;;\n"
      "  esac\n"
      "  case $command in\n"
      "    '') words=\"",
      absl::StrJoin(commands, " "), " ", Flags(app), "\" ;;\n", cases,
      "  esac\n"
      "  if [[ -n $names && $word != -* ]]; then\n"
      "    words=$(hvctl ps --quiet 2>/dev/null)\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -o filenames -F _hvctl hvctl\n");
}

}  // namespace hv::cli
