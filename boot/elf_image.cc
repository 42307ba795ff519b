#include "boot/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boot/elf_segments.h"

namespace hv::boot {
namespace {

absl::Status CopySegment(std::span<const std::byte> file, const ElfSegment& segment,
                         const GuestMemory& memory) {
  const auto to = memory.Low(segment.physical, segment.memory_bytes);
  if (to.size() != segment.memory_bytes || segment.physical < kHighMemoryStart) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: ELF segment ", segment.index, " wants ", segment.memory_bytes,
                     " bytes at 0x", absl::Hex(segment.physical),
                     "; the machine has memory for kernels from 0x", absl::Hex(kHighMemoryStart),
                     " to 0x", absl::Hex(memory.low_bytes()), "; give it more with --memory"));
  }
  const auto from = file.subspan(segment.file_offset, segment.file_bytes);
  const auto rest = std::copy(from.begin(), from.end(), to.begin());
  std::fill(rest, to.end(), std::byte{0});
  return absl::OkStatus();
}

// Kernels linked high have their entry there too, though nothing is mapped when it is taken.
uint64_t PhysicalEntry(uint64_t entry, const std::vector<ElfSegment>& segments) {
  for (const ElfSegment& segment : segments) {
    if (entry - segment.physical < segment.memory_bytes) return entry;
  }
  for (const ElfSegment& segment : segments) {
    if (entry - segment.virtual_address < segment.memory_bytes) {
      return entry - segment.virtual_address + segment.physical;
    }
  }
  return entry;
}

}  // namespace

bool IsElf(std::span<const std::byte> file) {
  return file.size() >= EI_NIDENT && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

bool IsElf64(std::span<const std::byte> file) {
  return static_cast<uint8_t>(file[EI_CLASS]) == ELFCLASS64;
}

absl::StatusOr<LoadedElf> LoadElf(std::span<const std::byte> file, const GuestMemory& memory) {
  const auto elf = ReadElfSegments(file);
  if (!elf.ok()) return elf.status();
  std::vector<ElfSegment> loadable;
  for (const ElfSegment& segment : elf->segments) {
    if (segment.type == PT_LOAD && segment.memory_bytes != 0) loadable.push_back(segment);
  }
  if (loadable.empty()) return absl::InvalidArgumentError("kernel: ELF has nothing to load");
  LoadedElf loaded{.entry = PhysicalEntry(elf->entry, loadable), .lowest = UINT64_MAX, .end = 0};
  for (const ElfSegment& segment : loadable) {
    if (auto status = CopySegment(file, segment, memory); !status.ok()) return status;
    loaded.lowest = std::min(loaded.lowest, segment.physical);
    loaded.end = std::max(loaded.end, segment.physical + segment.memory_bytes);
  }
  return loaded;
}

}  // namespace hv::boot
