#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <sstream>

namespace hv::cli {
namespace {

Options Parse(const std::string& line) {
  Options options;
  MakeApp(options)->parse(line, false);
  return options;
}

TEST(CommandLineTest, RunTakesWhatAMachineIsMadeOf) {
  const Options options = Parse(
      "run --kernel k --initrd i --append 'console=ttyS0 quiet' --cpus 2 --memory 1G --engine soft "
      "--paging host "
      "--translation-cache 8M "
      "--name vm --debug-exit --no-reboot --detach");
  EXPECT_EQ(options.config.kernel(), "k");
  EXPECT_EQ(options.config.initrd(), "i");
  EXPECT_EQ(options.config.command_line(), "console=ttyS0 quiet");
  EXPECT_EQ(options.config.cpus(), 2u);
  EXPECT_EQ(options.memory, "1G");
  EXPECT_EQ(options.translation_cache, "8M");
  EXPECT_EQ(options.config.engine(), "soft");
  EXPECT_EQ(options.config.paging(), "host");
  EXPECT_EQ(options.config.name(), "vm");
  EXPECT_TRUE(options.config.debug_exit());
  EXPECT_TRUE(options.no_reboot);
  EXPECT_TRUE(options.detach);
}

TEST(CommandLineTest, ModulesRepeatWithTheirCommandLines) {
  const Options options = Parse("run --kernel k --module 'a one two' --module b");
  EXPECT_EQ(options.modules, (std::vector<std::string>{"a one two", "b"}));
}

TEST(CommandLineTest, OptionsForAllCommandsMayFollowTheCommand) {
  const Options options = Parse("inspect vm --json --socket /s");
  EXPECT_EQ(options.name, "vm");
  EXPECT_TRUE(options.json);
  EXPECT_EQ(options.socket, "/s");
}

TEST(CommandLineTest, MemoryIsShownOrChangedInOneWayAtATime) {
  EXPECT_EQ(Parse("memory vm").name, "vm");
  EXPECT_EQ(Parse("memory vm --dirty-log take").dirty_log, "take");
  EXPECT_EQ(Parse("memory vm --watch-writes take").watch_writes, "take");
  const Options part = Parse("memory vm --watch-writes on --at 0x1000 --bytes 8192");
  EXPECT_EQ(part.at, "0x1000");
  EXPECT_EQ(part.bytes, 8192u);
  EXPECT_EQ(Parse("memory vm --protect 0x1000+4K").protect, "0x1000+4K");
  EXPECT_EQ(Parse("memory vm --unprotect 0x1000+4K").unprotect, "0x1000+4K");
  for (const char* line :
       {"memory", "memory vm --dirty-log maybe", "memory vm --protect",
        "memory vm --protect 0+1 --unprotect 0+1", "memory vm --dirty-log on --protect 0+1",
        "memory vm --watch-writes on --dirty-log on", "memory vm --unprotect 0+1 --at 0"}) {
    EXPECT_THROW(Parse(line), CLI::ParseError) << line;
  }
}

TEST(CommandLineTest, ReplaceTakesAMachineAndAService) {
  const Options options = Parse("replace vm timer_svc");
  EXPECT_EQ(options.name, "vm");
  EXPECT_EQ(options.service, "timer_svc");
  EXPECT_THROW(Parse("replace vm"), CLI::ParseError);
}

TEST(CommandLineTest, InspectTranslatesForOneVcpu) {
  const Options options = Parse("inspect vm --translate ffffffff81000000 --vcpu 3");
  EXPECT_EQ(options.translate, "ffffffff81000000");
  EXPECT_EQ(options.vcpu, 3u);
  EXPECT_TRUE(Parse("inspect vm -m").show_memory);
  EXPECT_THROW(Parse("inspect vm --vcpu 3"), CLI::ParseError);
}

TEST(CommandLineTest, WhatMakesNoSenseIsRefused) {
  for (const char* line :
       {"", "fly", "run", "run --kernel", "run --kernel k --cpus many", "run --kernel k --cpus 0",
        "inspect", "stats vm --interval -1", "completion tcsh", "ps extra"}) {
    EXPECT_THROW(Parse(line), CLI::ParseError) << line;
  }
}

std::string ComplaintAbout(const std::string& line) {
  Options options;
  const auto app = MakeApp(options);
  std::ostringstream out;
  std::ostringstream complaint;
  try {
    app->parse(line, false);
  } catch (const CLI::ParseError& error) {
    app->exit(error, out, complaint);
  }
  return complaint.str();
}

TEST(CommandLineTest, AnUnknownCommandIsNamed) {
  EXPECT_EQ(ComplaintAbout("fly vm"),
            "hvctl: there is no command 'fly'; hvctl --help lists them\n");
}

TEST(CommandLineTest, WhatIsMissingIsNamed) {
  EXPECT_EQ(ComplaintAbout("inspect"),
            "hvctl: machine is required; --help says what is possible\n");
  EXPECT_EQ(ComplaintAbout("run --kernel k --cpus 0"),
            "hvctl: --cpus: 0: 1 to 64 are possible; --help says what is possible\n");
}

TEST(CommandLineTest, HelpShowsValuesByTheirNamesAlone) {
  Options options;
  const auto app = MakeApp(options);
  const CLI::Option* interval = app->get_subcommand("stats")->get_option("--interval");
  EXPECT_EQ(interval->get_type_name(), "SECONDS");
}

}  // namespace
}  // namespace hv::cli
