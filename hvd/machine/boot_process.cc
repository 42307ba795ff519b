#include "hvd/machine/boot_process.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "abi/version.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hvd/host/socket_pair.h"
#include "proto/hv/v1/boot.pb.h"
#include "service/descriptor_socket.h"

namespace hv::hvd {
namespace {

constexpr char kProgram[] = "hv_boot";
constexpr int kTimeoutMs = 60'000;

// The request and the descriptors it names, which stay their owners'.
class RequestBuilder {
 public:
  uint32_t Add(int fd) {
    fds_.push_back(fd);
    return static_cast<uint32_t>(fds_.size() - 1);
  }
  const std::vector<int>& fds() const { return fds_; }

  hv::v1::BootRequest Build(const hv::v1::MachineConfig& config, const BootFiles& files,
                            const SegmentSet& segments) {
    hv::v1::BootRequest request;
    request.set_abi_major(HV_ABI_MAJOR);
    request.set_memory_bytes(config.memory_bytes());
    request.set_cpus(config.cpus());
    request.set_command_line(config.command_line());
    request.set_ram_fd(Add(segments.guest_ram().fd.get()));
    request.set_kernel_fd(Add(files.kernel.fd.get()));
    if (files.initrd) {
      request.set_has_initrd(true);
      request.set_initrd_fd(Add(files.initrd->fd.get()));
    }
    for (const BootFile& file : files.modules) {
      auto& module = *request.add_modules();
      module.set_fd(Add(file.fd.get()));
      module.set_command_line(file.command_line);
    }
    return request;
  }

 private:
  std::vector<int> fds_;
};

// The loader is given descriptors, not names: its "kernel: why" becomes "kernel /path: why".
std::string WithPath(const std::string& message, const hv::v1::MachineConfig& config) {
  for (const auto& [role, path] :
       {std::pair<absl::string_view, const std::string&>("kernel", config.kernel()),
        {"initrd", config.initrd()}}) {
    if (absl::StartsWith(message, absl::StrCat(role, ": "))) {
      return absl::StrCat(role, " ", path, message.substr(role.size()));
    }
  }
  return message;
}

absl::Status AwaitAnswer(int socket) {
  pollfd answer{socket, POLLIN, 0};
  int ready;
  do {
    ready = poll(&answer, 1, kTimeoutMs);
  } while (ready < 0 && errno == EINTR);
  if (ready > 0) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat(kProgram, " did not load the kernel within ", kTimeoutMs / 1000, " seconds"));
}

}  // namespace

absl::StatusOr<std::string> BootProcess::Load(const hv::v1::MachineConfig& config,
                                              const BootFiles& files, const SegmentSet& segments,
                                              int log) {
  auto sockets = MakeSocketPair(SOCK_SEQPACKET);
  if (!sockets.ok()) return sockets.status();
  auto process = launcher_.Launch(kProgram, sockets->theirs.get(), log);
  if (!process.ok()) return process.status();
  sockets->theirs.Reset();  // so that its death is seen
  RequestBuilder builder;
  const std::string request = builder.Build(config, files, segments).SerializeAsString();
  if (auto status = service::SendWithDescriptors(sockets->ours.get(), request, builder.fds());
      !status.ok()) {
    return status;
  }
  if (auto status = AwaitAnswer(sockets->ours.get()); !status.ok()) return status;
  const auto answer = service::ReceiveWithDescriptors(sockets->ours.get());
  hv::v1::BootResponse response;
  if (!answer.ok() || !response.ParseFromString(answer->bytes)) {
    return absl::InternalError(
        absl::StrCat(kProgram, " ", (*process)->Reap().InWords(), " without an answer"));
  }
  if (response.code() != 0) {
    return absl::Status(static_cast<absl::StatusCode>(response.code()),
                        WithPath(response.message(), config));
  }
  return std::move(*response.mutable_vcpu_state());
}

}  // namespace hv::hvd
