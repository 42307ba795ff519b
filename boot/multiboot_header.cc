#include "boot/multiboot_header.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::boot {
namespace {

constexpr uint32_t kMagic = 0x1badb002, kMagic2 = 0xe85250d6;
constexpr size_t kSearchBytes = 8192, kSearchBytes2 = 32768;
constexpr size_t kAlignment = 4, kAlignment2 = 8;

// Flags. Bits 15:0 are requirements, the others are not.
constexpr uint32_t kPageAlignedModules = 1u << 0, kMemoryInformation = 1u << 1, kVideo = 1u << 2,
                   kAddressFields = 1u << 16;
constexpr uint32_t kRequirements = 0xffff;
constexpr uint32_t kFulfilled = kPageAlignedModules | kMemoryInformation;

/*  0       4       8          12            16          20              24             28 32
 *  +-------+-------+----------+-------------+-----------+---------------+--------------+------------+
 *  | magic | flags | checksum | header_addr | load_addr | load_end_addr | bss_end_addr | entry_addr
 * |
 *  +-------+-------+----------+-------------+-----------+---------------+--------------+------------+
 */
struct WireHeader {
  uint32_t magic, flags, checksum;
};
struct WireAddresses {
  uint32_t header, load, load_end, bss_end, entry;
};
static_assert(sizeof(WireHeader) == 12 && sizeof(WireAddresses) == 20);

absl::Status CheckRequirements(uint32_t flags) {
  const uint32_t unknown = flags & kRequirements & ~kFulfilled;
  if (unknown == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "kernel: its Multiboot header requires flags 0x", absl::Hex(unknown),
      (unknown & kVideo) != 0 ? " (0x4: a video mode; the machine has no display)" : "",
      ", which are not to be had; build it with 0x", absl::Hex(flags & ~unknown)));
}

absl::StatusOr<MultibootHeader::Addresses> CheckAddresses(const WireAddresses& a,
                                                          size_t header_offset) {
  if (a.load > a.header || a.header - a.load > header_offset ||
      (a.load_end != 0 && a.load_end <= a.load) || (a.bss_end != 0 && a.bss_end < a.load_end)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: the addresses in its Multiboot header contradict each other: header 0x",
        absl::Hex(a.header), " (in the file at 0x", absl::Hex(header_offset), "), load 0x",
        absl::Hex(a.load), ", load end 0x", absl::Hex(a.load_end), ", bss end 0x",
        absl::Hex(a.bss_end)));
  }
  return MultibootHeader::Addresses{.file_offset = header_offset - (a.header - a.load),
                                    .load = a.load,
                                    .load_end = a.load_end,
                                    .bss_end = a.bss_end,
                                    .entry = a.entry};
}

}  // namespace

absl::StatusOr<std::optional<MultibootHeader>> FindMultibootHeader(
    std::span<const std::byte> file) {
  const auto searched = file.first(std::min(file.size(), kSearchBytes));
  for (size_t at = 0; at + sizeof(WireHeader) <= searched.size(); at += kAlignment) {
    WireHeader header;
    std::memcpy(&header, searched.data() + at, sizeof(header));
    if (header.magic != kMagic || header.magic + header.flags + header.checksum != 0) continue;
    if (auto status = CheckRequirements(header.flags); !status.ok()) return status;
    MultibootHeader found;
    if ((header.flags & kAddressFields) == 0) return found;
    WireAddresses addresses;
    const size_t fields = at + sizeof(header);
    if (sizeof(addresses) > searched.size() - fields) {
      return absl::InvalidArgumentError("kernel: cut short in its Multiboot header");
    }
    std::memcpy(&addresses, searched.data() + fields, sizeof(addresses));
    auto checked = CheckAddresses(addresses, at);
    if (!checked.ok()) return checked.status();
    found.addresses = *checked;
    return found;
  }
  return std::nullopt;
}

bool HasMultiboot2Header(std::span<const std::byte> file) {
  const auto searched = file.first(std::min(file.size(), kSearchBytes2));
  for (size_t at = 0; at + 4 * sizeof(uint32_t) <= searched.size(); at += kAlignment2) {
    uint32_t header[4];  // magic, architecture, length, checksum
    std::memcpy(header, searched.data() + at, sizeof(header));
    if (header[0] == kMagic2 && header[0] + header[1] + header[2] + header[3] == 0) return true;
  }
  return false;
}

}  // namespace hv::boot
