#include "cli/completion.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "cli/command_line.h"

namespace hv::cli {
namespace {

// What bash offers after `words`, by the script itself; the last word is what is being typed.
std::string Offered(const std::string& words) {
  Options options;
  const std::string path = testing::TempDir() + "completion.bash";
  std::ofstream(path) << BashCompletion(*MakeApp(options)) << "hvctl() { echo alpha; echo beta; }\n"
                      << "COMP_WORDS=(" << words << ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                      << "_hvctl\necho \"${COMPREPLY[*]}\"\n";
  FILE* shell = popen(("bash " + path).c_str(), "r");
  std::string said;
  char piece[512];
  while (fgets(piece, sizeof(piece), shell) != nullptr) said += piece;
  EXPECT_EQ(pclose(shell), 0);
  return said;
}

TEST(CompletionTest, CommandsAreOffered) {
  EXPECT_EQ(Offered("hvctl s"), "services start stop stats\n");
  EXPECT_EQ(Offered("hvctl --json ve"), "version\n");
}

TEST(CompletionTest, OptionsOfTheCommandAreOffered) {
  EXPECT_EQ(Offered("hvctl run --de"), "--detach --debug-exit\n");
  EXPECT_EQ(Offered("hvctl run --engine s"), "soft\n");
  EXPECT_EQ(Offered("hvctl run --engine k"), "kvm\n");
  EXPECT_EQ(Offered("hvctl run --paging d"), "demand\n");
}

TEST(CompletionTest, CommandsOfTwoWordsAreOffered) {
  EXPECT_EQ(Offered("hvctl fault c"), "clear chaos\n");
  EXPECT_EQ(Offered("hvctl fault chaos --du"), "--duration\n");
  EXPECT_EQ(Offered("hvctl fault list ''"), "alpha beta\n");
}

TEST(CompletionTest, MachinesAreOfferedByName) {
  EXPECT_EQ(Offered("hvctl pause ''"), "alpha beta\n");
  EXPECT_EQ(Offered("hvctl --socket /x stop b"), "beta\n");
}

TEST(CompletionTest, WhatIsHiddenIsNotOffered) { EXPECT_EQ(Offered("hvctl man"), "\n"); }

}  // namespace
}  // namespace hv::cli
