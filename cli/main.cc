// hvctl: runs and controls virtual machines by talking to hvd.
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/exit_status.h"

int main(int argc, char** argv) {
  hv::cli::Options options;
  const auto app = hv::cli::MakeApp(options);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app->exit(error) == 0 ? hv::cli::kOk : hv::cli::kUsage;
  }
  return hv::cli::Execute(*app, options);
}
