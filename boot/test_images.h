// Kernel files made in memory, for tests: just as much of each format as the loader looks at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "boot/guest_memory.h"

namespace hv::boot {

using FileBytes = std::vector<std::byte>;

FileBytes ToBytes(const std::string& text);
void Append(FileBytes& to, std::span<const std::byte> more);

// Overwrites sizeof(T) bytes of a file.
template <typename T>
void Patch(FileBytes& file, size_t offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof(value));
}

struct ElfSpec {
  int bits = 64;
  uint64_t physical = 0x100000;
  std::optional<uint64_t> virtual_address;  // as physical if not given
  std::optional<uint64_t> entry;            // as physical if not given
  FileBytes contents = ToBytes("kernel code and data");
  uint64_t bss = 100;
  FileBytes notes;  // a PT_NOTE segment if there are any
};
FileBytes MakeElf(const ElfSpec& spec);
// Where the first program header of such a file is.
size_t ElfProgramHeaderAt(int bits);

// One note, padded to 4 bytes.
FileBytes MakeNote(const std::string& name, uint32_t type, std::span<const std::byte> descriptor);
FileBytes MakePvhNote(uint32_t entry);

// A bzImage of boot protocol 2.15 around a packed payload.
FileBytes MakeBzImage(std::span<const std::byte> payload);
// One without 64-bit entry and payload: `code` is entered in 32-bit mode.
FileBytes MakeBzImage32(std::span<const std::byte> code);

// Packed as kernels have it: XZ through the filter for x86 code and with a CRC32, zstd with the
// checksum its tool writes unless told otherwise.
FileBytes Gzip(std::span<const std::byte> bytes);
FileBytes Xz(std::span<const std::byte> bytes);
FileBytes Zstd(std::span<const std::byte> bytes, bool checksum = true);
FileBytes Lz4(std::span<const std::byte> bytes);  // with the unpacked size after it

// As XZ uses it.
uint32_t Crc32(std::span<const std::byte> bytes);

// A Multiboot header without address fields, to stand at the beginning of a segment's contents.
FileBytes MakeMultibootHeader(uint32_t flags);

// A machine's RAM, filled with what is not zero.
class TestRam {
 public:
  explicit TestRam(size_t bytes = 8 << 20) : bytes_(bytes, std::byte{0xaa}) {}
  GuestMemory memory() { return GuestMemory(bytes_); }

  template <typename T>
  T At(uint64_t address) const {
    T value;
    std::memcpy(&value, bytes_.data() + address, sizeof(value));
    return value;
  }
  std::string String(uint64_t address) const;
  std::string String(uint64_t address, size_t bytes) const;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace hv::boot
