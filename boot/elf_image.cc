#include "boot/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::boot {
namespace {

constexpr int kMaxSegments = 64;

template <typename T>
bool ReadAt(std::span<const std::byte> file, uint64_t offset, T& value) {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return false;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return true;
}

}  // namespace

bool IsElf(std::span<const std::byte> file) {
  return file.size() >= SELFMAG && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

absl::StatusOr<LoadedElf> LoadElf64(std::span<const std::byte> file, const GuestMemory& memory) {
  Elf64_Ehdr header;
  if (!IsElf(file) || !ReadAt(file, 0, header)) {
    return absl::InvalidArgumentError("kernel: not an ELF file, or cut short in its header");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: ELF of class ", header.e_ident[EI_CLASS], " for machine ", header.e_machine,
        "; only 64-bit x86 (class 2, machine 62) can be entered this way"));
  }
  if (header.e_phnum == 0 || header.e_phnum > kMaxSegments) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: ELF with ", header.e_phnum, " segments"));
  }
  LoadedElf loaded{.entry = header.e_entry, .lowest = UINT64_MAX, .end = 0};
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!ReadAt(file, header.e_phoff + static_cast<uint64_t>(i) * sizeof(segment), segment)) {
      return absl::InvalidArgumentError("kernel: ELF cut short in its segment table");
    }
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    if (segment.p_offset > file.size() || segment.p_filesz > file.size() - segment.p_offset ||
        segment.p_filesz > segment.p_memsz) {
      return absl::InvalidArgumentError(
          absl::StrCat("kernel: ELF segment ", i, " of ", segment.p_filesz, " bytes at ",
                       segment.p_offset, " is not in the file of ", file.size(), " bytes"));
    }
    const auto to = memory.Low(segment.p_paddr, segment.p_memsz);
    if (to.size() != segment.p_memsz || segment.p_paddr < kHighMemoryStart) {
      return absl::InvalidArgumentError(absl::StrCat(
          "kernel: ELF segment ", i, " wants ", segment.p_memsz, " bytes at 0x",
          absl::Hex(segment.p_paddr), "; the machine has memory from 0x",
          absl::Hex(kHighMemoryStart), " to 0x", absl::Hex(memory.low_bytes()),
          "; give it more with --memory"));
    }
    std::memcpy(to.data(), file.data() + segment.p_offset, segment.p_filesz);
    std::fill(to.begin() + static_cast<ptrdiff_t>(segment.p_filesz), to.end(), std::byte{0});
    loaded.lowest = std::min(loaded.lowest, segment.p_paddr);
    loaded.end = std::max(loaded.end, segment.p_paddr + segment.p_memsz);
  }
  if (loaded.end == 0) return absl::InvalidArgumentError("kernel: ELF has nothing to load");
  return loaded;
}

}  // namespace hv::boot
