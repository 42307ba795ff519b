#include "hvd/options.h"

#include <CLI/CLI.hpp>

#include "hvd/host/locations.h"
#include "hvd/version.h"

namespace hv::hvd {
namespace {

constexpr int kUsageError = 2;

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options options;
  CLI::App app(
      "hvd makes virtual machines and keeps their parts alive. Clients such as hvctl speak "
      "gRPC (hv.v1.MachineService) with it on a Unix socket.",
      "hvd");
  app.set_version_flag("--version", std::string("hvd ") + kVersion);
  app.add_option("--runtime", options.runtime_folder,
                 "Folder for the socket and the machines' files, made with mode 0700 (default: "
                 "$XDG_RUNTIME_DIR/hv, /run/hv for root, else /tmp/hv-UID; SOCKET.d with another "
                 "socket)");
  app.add_option("--socket", options.socket,
                 "Where to listen (default: $HV_SOCKET, else hvd.sock in the runtime folder)");
  app.add_option("--libexec", options.libexec,
                 "Folder of hv_kernel and the services (default: beside hvd)");
  app.add_option(
      "--ready-fd", options.ready_fd,
      "Descriptor to write \"ready\" to once hvd listens, \"busy: ...\" when another hvd "
      "has the socket, or \"error: ...\"");
  app.add_flag("--exit-when-idle", options.exit_when_idle, "End when the last machine is deleted");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    options.exit_status = app.exit(error) == 0 ? 0 : kUsageError;
    return options;
  }
  if (options.socket.empty()) {
    options.socket =
        options.runtime_folder.empty() ? DefaultSocketPath() : options.runtime_folder + "/hvd.sock";
  }
  if (options.runtime_folder.empty()) {
    // Two hvds on two sockets must not share a folder.
    const bool usual = options.socket == DefaultRuntimeFolder() + "/hvd.sock";
    options.runtime_folder = usual ? DefaultRuntimeFolder() : options.socket + ".d";
  }
  return options;
}

}  // namespace hv::hvd
