#include "boot/loader.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "boot/acpi_tables.h"
#include "boot/bzimage.h"
#include "boot/decompress.h"
#include "boot/elf_image.h"
#include "boot/linux_boot.h"

namespace hv::boot {
namespace {

// What the loader itself needs below 1 MiB, and room for any kernel at all.
constexpr uint64_t kLeastMemory = 16 << 20;

absl::StatusOr<LoadResult> Enter(const LoadRequest& request, const GuestMemory& memory,
                                 const LoadedElf& elf, const BzImage* image) {
  LinuxBoot boot{.image = image,
                 .entry = elf.entry,
                 .kernel_end = elf.end,
                 .command_line = request.command_line,
                 .initrd = request.initrd,
                 .rsdp = WriteAcpiTables(memory, request.cpus)};
  if (boot.entry < elf.lowest || boot.entry >= elf.end) {
    return absl::InvalidArgumentError(absl::StrCat("kernel: ELF entry 0x", absl::Hex(boot.entry),
                                                   " lies outside of what it loads"));
  }
  auto state = PrepareLinux(boot, memory);
  if (!state.ok()) return state.status();
  return LoadResult{*state, "linux64"};
}

}  // namespace

absl::StatusOr<LoadResult> LoadKernel(const LoadRequest& request, const GuestMemory& memory) {
  if (memory.low_bytes() < kLeastMemory) {
    return absl::InvalidArgumentError(absl::StrCat("memory: ", memory.low_bytes() >> 20,
                                                   " MiB, at least ", kLeastMemory >> 20,
                                                   " are needed"));
  }
  if (request.kernel.empty()) {
    return absl::InvalidArgumentError("kernel: the file is empty");
  }
  if (IsBzImage(request.kernel)) {
    auto image = ParseBzImage(request.kernel);
    if (!image.ok()) return image.status();
    auto vmlinux = Decompress(image->payload, memory.low_bytes());
    if (!vmlinux.ok()) return vmlinux.status();
    auto elf = LoadElf64(*vmlinux, memory);
    if (!elf.ok()) return elf.status();
    return Enter(request, memory, *elf, &*image);
  }
  if (IsElf(request.kernel)) {
    auto elf = LoadElf64(request.kernel, memory);
    if (!elf.ok()) return elf.status();
    return Enter(request, memory, *elf, nullptr);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("kernel: the file of ", request.kernel.size(),
                   " bytes is neither a Linux bzImage nor an ELF image"));
}

}  // namespace hv::boot
