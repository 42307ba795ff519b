#include "cli/man_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hvd/version.h"

namespace hv::cli {
namespace {

// Text that troff takes literally.
std::string Literal(const std::string& text) {
  std::string literal;
  for (const char c : text) {
    if (c == '\\') {
      literal += "\\e";
    } else if (c == '-') {
      literal += "\\-";
    } else if ((c == '.' || c == '\'') && literal.empty()) {
      literal += "\\&";
      literal += c;
    } else {
      literal += c;
    }
  }
  return literal;
}

std::string Names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames())
    names.push_back("\\fB\\-" + Literal(name) + "\\fR");
  for (const std::string& name : option.get_lnames()) {
    names.push_back("\\fB\\-\\-" + Literal(name) + "\\fR");
  }
  if (names.empty()) return "\\fI" + Literal(option.get_name()) + "\\fR";
  const std::string type = option.get_type_name();
  return absl::StrCat(absl::StrJoin(names, ", "),
                      type.empty() ? "" : absl::StrCat(" \\fI", Literal(type), "\\fR"));
}

void AddOptions(const CLI::App& app, std::string& page) {
  for (const CLI::Option* option : app.get_options()) {
    absl::StrAppend(&page, ".TP\n", Names(*option), "\n", Literal(option->get_description()), "\n");
  }
}

// `before`: the words that lead to the commands of `app`.
void AddCommands(const CLI::App& app, const std::string& before, std::string& page) {
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_group().empty()) continue;
    const std::string name = before + command->get_name();
    absl::StrAppend(&page, ".SS ", Literal(name), "\n", Literal(command->get_description()), ".\n");
    AddOptions(*command, page);
    AddCommands(*command, name + " ", page);
  }
}

}  // namespace

std::string ManPage(const CLI::App& app) {
  std::string page =
      absl::StrCat(".TH HVCTL 1 \"\" \"hv ", hvd::kVersion, "\" \"hv\"\n.SH NAME\n",
                   "hvctl \\- run and control virtual machines\n.SH SYNOPSIS\n"
                   ".B hvctl\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIoptions of the command\\fR]\n"
                   ".SH DESCRIPTION\n",
                   Literal(app.get_description()), "\n.SH OPTIONS\n");
  AddOptions(app, page);
  absl::StrAppend(&page, ".SH COMMANDS\n");
  AddCommands(app, "", page);
  absl::StrAppend(&page, ".SH EXIT STATUS\n", Literal(app.get_footer()), "\n");
  return page;
}

}  // namespace hv::cli
