#include "boot/loader.h"

#include "absl/strings/str_cat.h"
#include "boot/acpi_tables.h"
#include "boot/bios_data.h"
#include "boot/bzimage.h"
#include "boot/decompress.h"
#include "boot/elf_image.h"
#include "boot/linux_boot.h"
#include "boot/pvh.h"
#include "boot/pvh_note.h"

namespace hv::boot {
namespace {

// Below 1 MiB lies what the loader makes; no kernel is smaller than the rest.
constexpr uint64_t kLeastMemory = 4 << 20;

absl::Status CheckMachine(const LoadRequest& request, const GuestMemory& memory) {
  if (memory.low_bytes() < kLeastMemory) {
    return absl::InvalidArgumentError(absl::StrCat("memory: ", memory.low_bytes() >> 20,
                                                   " MiB, at least ", kLeastMemory >> 20,
                                                   " are needed"));
  }
  if (request.cpus == 0 || request.cpus > kMostCpus) {
    return absl::InvalidArgumentError(
        absl::StrCat("cpus: ", request.cpus, ", 1 to ", kMostCpus, " are possible"));
  }
  if (request.kernel.empty()) return absl::InvalidArgumentError("kernel: the file is empty");
  return absl::OkStatus();
}

absl::Status CheckNoModules(const LoadRequest& request, const char* kind) {
  if (request.modules.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("modules: ", request.modules.size(), " given, but the kernel is ", kind,
                   " and only Multiboot kernels take them; give one file as --initrd"));
}

absl::Status CheckEntry(uint64_t entry, const LoadedElf& elf) {
  if (elf.Contains(entry)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("kernel: its entry 0x", absl::Hex(entry), " lies outside of what it loads, 0x",
                   absl::Hex(elf.lowest), " to 0x", absl::Hex(elf.end), "; it is damaged"));
}

absl::StatusOr<LoadResult> Done(absl::StatusOr<hv_vcpu_state> state, const char* protocol) {
  if (!state.ok()) return state.status();
  return LoadResult{*state, protocol};
}

absl::StatusOr<LoadResult> LoadLinux(const LoadRequest& request, const GuestMemory& memory,
                                     std::span<const std::byte> vmlinux, const BzImage* image) {
  const auto elf = LoadElf(vmlinux, memory);
  if (!elf.ok()) return elf.status();
  if (auto status = CheckEntry(elf->entry, *elf); !status.ok()) return status;
  return Done(PrepareLinux64({.image = image,
                              .entry = elf->entry,
                              .kernel_end = elf->end,
                              .command_line = request.command_line,
                              .initrd = request.initrd,
                              .rsdp = WriteAcpiTables(memory, request.cpus)},
                             memory),
              "linux64");
}

// The kernel unpacks itself, if there is something to unpack.
absl::StatusOr<LoadResult> LoadLinux32(const LoadRequest& request, const GuestMemory& memory,
                                       const BzImage& image) {
  if (memory.Low(kProtectedModeCodeAt, image.memory_bytes()).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: it needs ", image.memory_bytes(), " bytes from 1 MiB on, the machine has ",
        memory.low_bytes() - kProtectedModeCodeAt, "; give it more with --memory"));
  }
  if (auto status = memory.Write(kProtectedModeCodeAt, image.protected_mode, "kernel");
      !status.ok()) {
    return status;
  }
  return Done(PrepareLinux32({.image = &image,
                              .entry = kProtectedModeCodeAt,
                              .kernel_end = kProtectedModeCodeAt + image.memory_bytes(),
                              .command_line = request.command_line,
                              .initrd = request.initrd,
                              .rsdp = WriteAcpiTables(memory, request.cpus)},
                             memory),
              "linux32");
}

absl::StatusOr<LoadResult> LoadBzImage(const LoadRequest& request, const GuestMemory& memory) {
  if (auto status = CheckNoModules(request, "a Linux bzImage"); !status.ok()) return status;
  const auto image = ParseBzImage(request.kernel);
  if (!image.ok()) return image.status();
  if (image->payload.empty()) return LoadLinux32(request, memory, *image);
  const auto vmlinux = Decompress(image->payload, memory.low_bytes());
  if (!vmlinux.ok()) return vmlinux.status();
  if (!IsElf(*vmlinux) || !IsElf64(*vmlinux)) {
    return absl::InvalidArgumentError(
        "kernel: what its bzImage unpacks to is no 64-bit ELF; only x86-64 kernels are entered so");
  }
  return LoadLinux(request, memory, *vmlinux, &*image);
}

absl::StatusOr<LoadResult> LoadMultibootKernel(const LoadRequest& request,
                                               const MultibootHeader& header,
                                               const GuestMemory& memory) {
  if (!request.initrd.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("initrd: ", request.initrd.size(),
                     " bytes given, but the kernel is a "
                     "Multiboot image, which takes modules; give it as --module"));
  }
  const auto loaded = LoadMultiboot(request.kernel, header, memory);
  if (!loaded.ok()) return loaded.status();
  if (auto status = CheckEntry(loaded->entry, *loaded); !status.ok()) return status;
  WriteAcpiTables(memory, request.cpus);  // found by their signature
  return Done(PrepareMultiboot({.entry = static_cast<uint32_t>(loaded->entry),
                                .kernel_end = loaded->end,
                                .command_line = request.command_line,
                                .modules = request.modules},
                               memory),
              "multiboot");
}

absl::StatusOr<LoadResult> LoadPvh(const LoadRequest& request, uint32_t entry,
                                   const GuestMemory& memory) {
  const auto elf = LoadElf(request.kernel, memory);
  if (!elf.ok()) return elf.status();
  if (auto status = CheckEntry(entry, *elf); !status.ok()) return status;
  return Done(PreparePvh({.entry = entry,
                          .kernel_end = elf->end,
                          .command_line = request.command_line,
                          .initrd = request.initrd,
                          .rsdp = WriteAcpiTables(memory, request.cpus)},
                         memory),
              "pvh");
}

absl::StatusOr<LoadResult> LoadElfKernel(const LoadRequest& request, const GuestMemory& memory) {
  if (auto status = CheckNoModules(request, "an ELF without Multiboot header"); !status.ok()) {
    return status;
  }
  const auto pvh_entry = FindPvhEntry(request.kernel);
  if (!pvh_entry.ok()) return pvh_entry.status();
  if (*pvh_entry) return LoadPvh(request, **pvh_entry, memory);
  if (IsElf64(request.kernel)) return LoadLinux(request, memory, request.kernel, nullptr);
  return absl::InvalidArgumentError(
      "kernel: a 32-bit ELF with neither Multiboot header nor PVH note; there is no way to enter "
      "it");
}

}  // namespace

absl::StatusOr<LoadResult> LoadKernel(const LoadRequest& request, const GuestMemory& memory) {
  if (auto status = CheckMachine(request, memory); !status.ok()) return status;
  WriteBiosData(memory);
  if (IsBzImage(request.kernel)) return LoadBzImage(request, memory);
  const auto header = FindMultibootHeader(request.kernel);
  if (!header.ok()) return header.status();
  if (*header) return LoadMultibootKernel(request, **header, memory);
  if (IsElf(request.kernel)) return LoadElfKernel(request, memory);
  return absl::InvalidArgumentError(absl::StrCat(
      "kernel: the file of ", request.kernel.size(),
      " bytes is neither a Linux bzImage nor an ELF ",
      HasMultiboot2Header(request.kernel) ? "image; Multiboot 2, which its header asks for, is not "
                                            "supported: build it with a Multiboot 1 header"
                                          : "or Multiboot image"));
}

}  // namespace hv::boot
