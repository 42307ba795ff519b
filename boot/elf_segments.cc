#include "boot/elf_segments.h"

#include <elf.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "boot/elf_image.h"

namespace hv::boot {
namespace {

constexpr int kMostSegments = 64;

template <typename T>
bool ReadAt(std::span<const std::byte> file, uint64_t offset, T& value) {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return false;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return true;
}

absl::Status CheckInFile(const ElfSegment& segment, size_t file_bytes) {
  if (segment.type != PT_LOAD && segment.type != PT_NOTE) return absl::OkStatus();
  if (segment.file_offset > file_bytes || segment.file_bytes > file_bytes - segment.file_offset) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: ELF segment ", segment.index, " of ", segment.file_bytes, " bytes at ",
        segment.file_offset, " is not in the file of ", file_bytes, " bytes: it is cut short"));
  }
  if (segment.type == PT_LOAD && segment.file_bytes > segment.memory_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: ELF segment ", segment.index, " has ", segment.file_bytes,
        " bytes in the file, but takes ", segment.memory_bytes, " in memory: it is damaged"));
  }
  return absl::OkStatus();
}

template <typename Header, typename ProgramHeader>
absl::StatusOr<ElfSegments> Read(std::span<const std::byte> file, uint16_t machine) {
  Header header;
  if (!ReadAt(file, 0, header)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: ELF cut short in its header: ", file.size(), " bytes of ", sizeof(header)));
  }
  if (header.e_machine != machine) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: ELF for machine ", header.e_machine,
                     "; only x86-64 (64-bit, 62) and i386 (32-bit, 3) run here"));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return absl::InvalidArgumentError(absl::StrCat("kernel: ELF of type ", header.e_type,
                                                   ", not an executable (2); link it first"));
  }
  if (header.e_phnum == 0 || header.e_phnum > kMostSegments ||
      header.e_phentsize != sizeof(ProgramHeader)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: ELF with ", header.e_phnum, " segments of ", header.e_phentsize,
        " bytes a header; 1 to ", kMostSegments, " of ", sizeof(ProgramHeader), " are possible"));
  }
  ElfSegments elf{.entry = header.e_entry, .segments = {}};
  for (int i = 0; i < header.e_phnum; ++i) {
    ProgramHeader read;
    if (header.e_phoff > file.size() ||
        !ReadAt(file, header.e_phoff + static_cast<uint64_t>(i) * sizeof(read), read)) {
      return absl::InvalidArgumentError("kernel: ELF cut short in its segment table");
    }
    elf.segments.push_back({.index = i,
                            .type = read.p_type,
                            .file_offset = read.p_offset,
                            .file_bytes = read.p_filesz,
                            .physical = read.p_paddr,
                            .virtual_address = read.p_vaddr,
                            .memory_bytes = read.p_memsz,
                            .alignment = read.p_align});
    if (auto status = CheckInFile(elf.segments.back(), file.size()); !status.ok()) return status;
  }
  return elf;
}

}  // namespace

absl::StatusOr<ElfSegments> ReadElfSegments(std::span<const std::byte> file) {
  if (!IsElf(file)) return absl::InvalidArgumentError("kernel: not an ELF file");
  const auto encoding = static_cast<uint8_t>(file[EI_DATA]);
  if (encoding != ELFDATA2LSB) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: ELF of byte order ", encoding, "; only little-endian (1) runs here"));
  }
  switch (static_cast<uint8_t>(file[EI_CLASS])) {
    case ELFCLASS64: return Read<Elf64_Ehdr, Elf64_Phdr>(file, EM_X86_64);
    case ELFCLASS32: return Read<Elf32_Ehdr, Elf32_Phdr>(file, EM_386);
    default:
      return absl::InvalidArgumentError(absl::StrCat("kernel: ELF of class ",
                                                     static_cast<uint8_t>(file[EI_CLASS]),
                                                     "; only 32-bit (1) and 64-bit (2) are known"));
  }
}

}  // namespace hv::boot
