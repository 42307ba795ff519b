#include "boot/boot_request.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "boot/loader.h"
#include "ring/segment.h"

namespace hv::boot {
namespace {

using Bytes = std::span<const std::byte>;
using Descriptors = std::vector<UniqueFd>;

absl::StatusOr<Bytes> MapFile(const Descriptors& descriptors, uint32_t index,
                              const std::string& what) {
  struct stat info;
  if (index >= descriptors.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": descriptor ", index, " is named, but ", descriptors.size(), " came"));
  }
  const int fd = descriptors[index].get();
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": not a regular file"));
  }
  if (info.st_size == 0) return Bytes{};
  const auto size = static_cast<size_t>(info.st_size);
  void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (at == MAP_FAILED) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", size, " bytes cannot be mapped: ", std::strerror(errno)));
  }
  return Bytes{static_cast<const std::byte*>(at), size};
}

absl::StatusOr<LoadRequest> MapFiles(const hv::v1::BootRequest& request,
                                     const Descriptors& descriptors) {
  LoadRequest load{.command_line = request.command_line(), .cpus = request.cpus()};
  const auto kernel = MapFile(descriptors, request.kernel_fd(), "kernel");
  if (!kernel.ok()) return kernel.status();
  load.kernel = *kernel;
  if (request.has_initrd()) {
    const auto initrd = MapFile(descriptors, request.initrd_fd(), "initrd");
    if (!initrd.ok()) return initrd.status();
    load.initrd = *initrd;
  }
  for (const auto& given : request.modules()) {
    const auto module =
        MapFile(descriptors, given.fd(), absl::StrCat("module ", load.modules.size() + 1));
    if (!module.ok()) return module.status();
    load.modules.push_back({.bytes = *module, .command_line = given.command_line()});
  }
  return load;
}

absl::StatusOr<LoadResult> Carry(const hv::v1::BootRequest& request, const Descriptors& descriptors,
                                 const std::function<void()>& shut_in) {
  if (request.abi_major() != HV_ABI_MAJOR) {
    return absl::FailedPreconditionError(absl::StrCat(
        "hv_boot: asked for ABI major ", request.abi_major(), ", speaks ", HV_ABI_MAJOR));
  }
  if (request.ram_fd() >= descriptors.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("hv_boot: no RAM segment among ", descriptors.size(), " descriptors"));
  }
  const auto ram =
      ring::Mapping::Map(descriptors[request.ram_fd()].get(), request.memory_bytes(), true);
  if (!ram.ok()) return ram.status();
  const auto load = MapFiles(request, descriptors);
  if (!load.ok()) return load.status();
  shut_in();
  return LoadKernel(*load, GuestMemory(ram->bytes()));
}

}  // namespace

hv::v1::BootResponse Answer(const hv::v1::BootRequest& request, const Descriptors& descriptors,
                            const std::function<void()>& shut_in) {
  hv::v1::BootResponse response;
  const auto result = Carry(request, descriptors, shut_in);
  if (result.ok()) {
    response.set_vcpu_state(&result->state, sizeof(result->state));
    response.set_protocol(result->protocol);
  } else {
    response.set_code(static_cast<int>(result.status().code()));
    response.set_message(std::string(result.status().message()));
  }
  return response;
}

}  // namespace hv::boot
