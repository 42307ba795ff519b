#include "boot/multiboot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "boot/boot_data.h"
#include "boot/entry_state.h"
#include "boot/memory_map.h"

namespace hv::boot {
namespace {

constexpr uint32_t kLoaderMagic = 0x2badb002;  // in EAX
constexpr char kLoaderName[] = "hv";
constexpr uint64_t kPage = 4096;

// Which fields of MultibootInfo are valid.
constexpr uint32_t kMemorySizes = 1u << 0, kCommandLine = 1u << 2, kModules = 1u << 3,
                   kMemoryMap = 1u << 6, kLoaderNameGiven = 1u << 9;

/*  0       4           8           12      16        20         24        28
 *  +-------+-----------+-----------+-------+---------+----------+---------+------------------------
 *  | flags | lower KiB | upper KiB | boot  | cmdline | modules: | modules | symbols (16 bytes)
 *  |       |           |           | device|         | count    | address |
 *  +-------+-----------+-----------+-------+---------+----------+---------+------------------------
 *  44          48           52                56       60       64            68           88
 *  +-----------+------------+-----------------+--------+--------+-------------+------------------+
 *  | memory    | memory map | drives: length, | config | loader | APM and VBE | framebuffer, to  |
 *  | map bytes | address    | address         | table  | name   | (20 bytes)  | 116              |
 *  +-----------+------------+-----------------+--------+--------+-------------+------------------+
 */
struct MultibootInfo {
  uint32_t flags;
  uint32_t lower_kib, upper_kib;
  uint32_t boot_device;
  uint32_t command_line;
  uint32_t module_count, modules;
  uint32_t symbols[4];
  uint32_t memory_map_bytes, memory_map;
  uint32_t drives_bytes, drives;
  uint32_t config_table;
  uint32_t loader_name;
  uint32_t apm_and_vbe[5];
  uint32_t framebuffer[7];
};
static_assert(sizeof(MultibootInfo) == 116);

struct WireModule {
  uint32_t start, end;  // end: the first byte after
  uint32_t command_line;
  uint32_t reserved;
};
static_assert(sizeof(WireModule) == 16);

struct [[gnu::packed]] WireRange {
  uint32_t bytes_that_follow;
  uint64_t start;
  uint64_t bytes;
  uint32_t type;
};
static_assert(sizeof(WireRange) == 24);

uint64_t NextPage(uint64_t address) { return (address + kPage - 1) & ~(kPage - 1); }

// One after the other, each at a page: some kernels look for the first right behind themselves.
absl::StatusOr<std::vector<WireModule>> PlaceModules(const MultibootBoot& boot, BootData& data,
                                                     const GuestMemory& memory) {
  std::vector<WireModule> placed;
  uint64_t at = NextPage(boot.kernel_end);
  for (const Module& module : boot.modules) {
    const std::string what =
        absl::StrCat("module ", placed.size() + 1, " of ", boot.modules.size());
    if (auto status = memory.Write(at, module.bytes, what.c_str()); !status.ok()) return status;
    const auto text = data.PlaceString(module.command_line, "module command line");
    if (!text.ok()) return text.status();
    const uint64_t end = at + module.bytes.size();
    placed.push_back({.start = static_cast<uint32_t>(at),
                      .end = static_cast<uint32_t>(end),
                      .command_line = *text});
    at = NextPage(end);
  }
  return placed;
}

std::vector<WireRange> MapEntries(const GuestMemory& memory) {
  std::vector<WireRange> entries;
  for (const MemoryRange& range : MemoryMap(memory)) {
    entries.push_back({.bytes_that_follow = sizeof(WireRange) - sizeof(uint32_t),
                       .start = range.start,
                       .bytes = range.bytes,
                       .type = static_cast<uint32_t>(range.type)});
  }
  return entries;
}

absl::StatusOr<LoadedElf> LoadFlat(std::span<const std::byte> file,
                                   const MultibootHeader::Addresses& addresses,
                                   const GuestMemory& memory) {
  const uint64_t in_file = file.size() - addresses.file_offset;
  const uint64_t bytes =
      addresses.load_end == 0 ? in_file : uint64_t{addresses.load_end} - addresses.load;
  if (bytes > in_file) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: its Multiboot header loads ", bytes, " bytes from ", addresses.file_offset,
        ", but the file has ", file.size(), " bytes: it is cut short"));
  }
  const uint64_t load_end = addresses.load + bytes;
  const uint64_t end = std::max<uint64_t>(load_end, addresses.bss_end);
  if (addresses.load < kHighMemoryStart || end > memory.low_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel: its Multiboot header wants 0x", absl::Hex(addresses.load), " to 0x",
        absl::Hex(end), "; the machine has memory for kernels from 0x", absl::Hex(kHighMemoryStart),
        " to 0x", absl::Hex(memory.low_bytes()), "; give it more with --memory"));
  }
  const auto image = file.subspan(addresses.file_offset, bytes);
  if (auto status = memory.Write(addresses.load, image, "kernel"); !status.ok()) return status;
  const auto bss = memory.Low(load_end, end - load_end);
  std::fill(bss.begin(), bss.end(), std::byte{0});
  return LoadedElf{.entry = addresses.entry, .lowest = addresses.load, .end = end};
}

}  // namespace

absl::StatusOr<LoadedElf> LoadMultiboot(std::span<const std::byte> file,
                                        const MultibootHeader& header, const GuestMemory& memory) {
  if (header.addresses) return LoadFlat(file, *header.addresses, memory);
  if (IsElf(file)) return LoadElf(file, memory);
  return absl::InvalidArgumentError(
      "kernel: it has a Multiboot header without address fields (flag 0x10000) and is no ELF; "
      "build it with one of the two");
}

absl::StatusOr<hv_vcpu_state> PrepareMultiboot(const MultibootBoot& boot,
                                               const GuestMemory& memory) {
  BootData data(memory);
  MultibootInfo info{.flags =
                         kMemorySizes | kCommandLine | kModules | kMemoryMap | kLoaderNameGiven};
  info.lower_kib = static_cast<uint32_t>(kLowMemoryEnd >> 10);
  info.upper_kib = static_cast<uint32_t>((memory.low_bytes() - kHighMemoryStart) >> 10);
  const auto command_line = data.PlaceString(boot.command_line, "command line");
  if (!command_line.ok()) return command_line.status();
  info.command_line = *command_line;
  const auto name = data.PlaceString(kLoaderName, "loader name");
  if (!name.ok()) return name.status();
  info.loader_name = *name;
  const auto modules = PlaceModules(boot, data, memory);
  if (!modules.ok()) return modules.status();
  const auto list = data.PlaceArray(*modules, "list of modules");
  if (!list.ok()) return list.status();
  info.module_count = static_cast<uint32_t>(modules->size());
  info.modules = *list;
  const auto entries = MapEntries(memory);
  const auto map = data.PlaceArray(entries, "memory map");
  if (!map.ok()) return map.status();
  info.memory_map = *map;
  info.memory_map_bytes = static_cast<uint32_t>(entries.size() * sizeof(WireRange));
  const auto info_at = data.PlaceArray<MultibootInfo>({info}, "Multiboot information");
  if (!info_at.ok()) return info_at.status();

  hv_vcpu_state state = EnterProtectedMode(boot.entry, memory);
  state.gpr[HV_RAX] = kLoaderMagic;
  state.gpr[HV_RBX] = *info_at;
  return state;
}

}  // namespace hv::boot
