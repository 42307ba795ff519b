// hv_boot: puts a kernel into a machine's memory and says how to enter it. One request, one answer;
// what it parses is foreign, so it is shut in before it looks.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "boot/loader.h"
#include "proto/hv/v1/boot.pb.h"
#include "ring/segment.h"
#include "service/descriptor_socket.h"
#include "service/sandbox.h"

namespace {

constexpr int kSocket = 3;

using Bytes = std::span<const std::byte>;

// A file mapped for reading; the process is short-lived, so it stays mapped.
absl::StatusOr<Bytes> MapFile(const std::vector<hv::UniqueFd>& fds, uint32_t index,
                              const char* what) {
  struct stat info;
  if (index >= fds.size() || fstat(fds[index].get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": not a readable regular file"));
  }
  if (info.st_size == 0) return Bytes{};
  const auto size = static_cast<size_t>(info.st_size);
  void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fds[index].get(), 0);
  if (at == MAP_FAILED) return absl::InvalidArgumentError(absl::StrCat(what, ": cannot be mapped"));
  return Bytes{static_cast<const std::byte*>(at), size};
}

absl::StatusOr<hv::boot::LoadResult> Load(const hv::v1::BootRequest& request,
                                          const std::vector<hv::UniqueFd>& fds) {
  if (request.abi_major() != HV_ABI_MAJOR) {
    return absl::FailedPreconditionError(absl::StrCat("hv_boot: asked for ABI major ",
                                                      request.abi_major(), ", speaks ",
                                                      HV_ABI_MAJOR));
  }
  if (request.ram_fd() >= fds.size()) return absl::InvalidArgumentError("hv_boot: no RAM");
  auto ram = hv::ring::Mapping::Map(fds[request.ram_fd()].get(), request.memory_bytes(), true);
  if (!ram.ok()) return ram.status();
  auto kernel = MapFile(fds, request.kernel_fd(), "kernel");
  if (!kernel.ok()) return kernel.status();
  absl::StatusOr<Bytes> initrd = Bytes{};
  if (request.has_initrd()) initrd = MapFile(fds, request.initrd_fd(), "initrd");
  if (!initrd.ok()) return initrd.status();
  if (request.modules_size() != 0) {
    return absl::InvalidArgumentError("modules: only Multiboot kernels take them");
  }
  hv::service::SandboxReport sandbox;
  hv::service::EnterNamespaces(std::array{kSocket}, sandbox);
  hv::service::CloseSystemCalls(sandbox);
  return hv::boot::LoadKernel({.kernel = *kernel,
                               .initrd = *initrd,
                               .command_line = request.command_line(),
                               .cpus = request.cpus()},
                              hv::boot::GuestMemory(ram->bytes()));
}

}  // namespace

int main() {
  prctl(PR_SET_NAME, "hv_boot");
  auto received = hv::service::ReceiveWithDescriptors(kSocket);
  if (!received.ok()) {
    std::fprintf(stderr, "hv_boot: %s\n", received.status().ToString().c_str());
    return 1;
  }
  hv::v1::BootRequest request;
  hv::v1::BootResponse response;
  absl::StatusOr<hv::boot::LoadResult> result =
      absl::InvalidArgumentError("hv_boot: not an hv.v1.BootRequest");
  if (request.ParseFromString(received->bytes)) result = Load(request, received->fds);
  if (result.ok()) {
    response.set_vcpu_state(&result->state, sizeof(result->state));
    response.set_protocol(result->protocol);
  } else {
    response.set_code(static_cast<int>(result.status().code()));
    response.set_message(std::string(result.status().message()));
  }
  return hv::service::SendWithDescriptors(kSocket, response.SerializeAsString(), {}).ok() ? 0 : 1;
}
