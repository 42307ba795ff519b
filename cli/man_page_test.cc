#include "cli/man_page.h"

#include <gtest/gtest.h>

#include "cli/command_line.h"

namespace hv::cli {
namespace {

TEST(ManPageTest, EveryCommandAndOptionIsInIt) {
  Options options;
  const auto app = MakeApp(options);
  const std::string page = ManPage(*app);
  for (const CLI::App* command : app->get_subcommands({})) {
    if (command->get_group().empty()) continue;
    std::string name = command->get_name();
    EXPECT_NE(page.find(".SS " + name + "\n"), std::string::npos) << name;
  }
  EXPECT_NE(page.find("\\fB\\-\\-debug\\-exit\\fR"), std::string::npos);
  EXPECT_NE(page.find(".SH EXIT STATUS\nExit status: 0 done"), std::string::npos);
}

TEST(ManPageTest, NoLineOfTextIsTakenForAMacro) {
  Options options;
  const std::string page = ManPage(*MakeApp(options));
  size_t begin = 0;
  while (begin < page.size()) {
    const size_t end = page.find('\n', begin);
    const std::string line = page.substr(begin, end - begin);
    if (!line.empty() && line[0] == '.') {
      const std::string macro = line.substr(1, 2);
      EXPECT_TRUE(macro == "TH" || macro == "SH" || macro == "SS" || macro == "TP" || macro == "B ")
          << line;
    }
    EXPECT_TRUE(line.empty() || line[0] != '\'') << line;
    begin = end + 1;
  }
}

}  // namespace
}  // namespace hv::cli
