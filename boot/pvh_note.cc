#include "boot/pvh_note.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "boot/elf_segments.h"

namespace hv::boot {
namespace {

constexpr char kXen[] = "Xen";  // its final zero belongs to the note's name
constexpr uint32_t kPhys32Entry = 18;

// One note after the other in a PT_NOTE segment: header, name, descriptor, each padded to 4 bytes
// or, in segments aligned to 8, to that.
class NoteReader {
 public:
  NoteReader(std::span<const std::byte> notes, uint64_t alignment)
      : notes_(notes), mask_(alignment == 8 ? 7 : 3) {}

  struct Note {
    uint32_t type;
    std::span<const std::byte> name, descriptor;
  };
  // Nullopt: the end, or what is there is no note.
  std::optional<Note> Next() {
    Elf64_Nhdr header;  // the same in ELF32
    if (notes_.size() - at_ < sizeof(header)) return std::nullopt;
    std::memcpy(&header, notes_.data() + at_, sizeof(header));
    at_ += sizeof(header);
    const auto name = Take(header.n_namesz);
    if (!name) return std::nullopt;
    const auto descriptor = Take(header.n_descsz);
    if (!descriptor) return std::nullopt;
    return Note{header.n_type, *name, *descriptor};
  }

 private:
  std::optional<std::span<const std::byte>> Take(uint32_t bytes) {
    if (bytes > notes_.size() - at_) return std::nullopt;
    const auto taken = notes_.subspan(at_, bytes);
    at_ = std::min((at_ + bytes + mask_) & ~mask_, notes_.size());
    return taken;
  }

  std::span<const std::byte> notes_;
  size_t mask_;
  size_t at_ = 0;
};

bool IsPvhEntry(const NoteReader::Note& note) {
  return note.type == kPhys32Entry && note.name.size() == sizeof(kXen) &&
         std::memcmp(note.name.data(), kXen, sizeof(kXen)) == 0;
}

// Linux writes 8 bytes on x86-64, others 4.
absl::StatusOr<uint32_t> EntryOf(std::span<const std::byte> descriptor) {
  uint64_t entry = 0;
  if (descriptor.size() != sizeof(uint32_t) && descriptor.size() != sizeof(uint64_t)) {
    return absl::InvalidArgumentError(absl::StrCat("kernel: its PVH note has ", descriptor.size(),
                                                   " bytes; an address of 4 or 8 is meant"));
  }
  std::memcpy(&entry, descriptor.data(), descriptor.size());
  if (entry > UINT32_MAX) {
    return absl::InvalidArgumentError(absl::StrCat("kernel: its PVH entry 0x", absl::Hex(entry),
                                                   " is no 32-bit physical address"));
  }
  return static_cast<uint32_t>(entry);
}

}  // namespace

absl::StatusOr<std::optional<uint32_t>> FindPvhEntry(std::span<const std::byte> file) {
  const auto elf = ReadElfSegments(file);
  if (!elf.ok()) return elf.status();
  for (const ElfSegment& segment : elf->segments) {
    if (segment.type != PT_NOTE) continue;
    NoteReader notes(file.subspan(segment.file_offset, segment.file_bytes), segment.alignment);
    while (const auto note = notes.Next()) {
      if (!IsPvhEntry(*note)) continue;
      const auto entry = EntryOf(note->descriptor);
      if (!entry.ok()) return entry.status();
      return *entry;
    }
  }
  return std::nullopt;
}

}  // namespace hv::boot
