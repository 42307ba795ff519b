#include "boot/pvh.h"

#include <vector>

#include "boot/boot_data.h"
#include "boot/entry_state.h"
#include "boot/initrd.h"
#include "boot/memory_map.h"

namespace hv::boot {
namespace {

constexpr uint32_t kStartMagic = 0x336ec578;
constexpr uint32_t kStartVersion = 1;
// A kernel entered with 32-bit addresses finds its modules below 4 GiB, where all low RAM is.
constexpr uint64_t kInitrdReach = 0xffffffff;

/*  0        4         8       12            16        24        32     40       48       52 56
 *  +--------+---------+-------+-------------+---------+---------+------+--------+--------+--------+
 *  | magic  | version | flags | nr_modules  | modlist | cmdline | rsdp | memmap | nr_map | (zero) |
 *  +--------+---------+-------+-------------+---------+---------+------+--------+--------+--------+
 */
struct StartInfo {
  uint32_t magic;
  uint32_t version;
  uint32_t flags;
  uint32_t module_count;
  uint64_t modules;
  uint64_t command_line;
  uint64_t rsdp;
  uint64_t memory_map;
  uint32_t memory_map_entries;
  uint32_t reserved;
};
static_assert(sizeof(StartInfo) == 56);

struct Module {
  uint64_t address;
  uint64_t bytes;
  uint64_t command_line;  // 0: none
  uint64_t reserved;
};
static_assert(sizeof(Module) == 32);

struct MapEntry {
  uint64_t start;
  uint64_t bytes;
  uint32_t type;
  uint32_t reserved;
};
static_assert(sizeof(MapEntry) == 24);

std::vector<MapEntry> MapEntries(const GuestMemory& memory) {
  std::vector<MapEntry> entries;
  for (const MemoryRange& range : MemoryMap(memory)) {
    entries.push_back({range.start, range.bytes, static_cast<uint32_t>(range.type), 0});
  }
  return entries;
}

}  // namespace

absl::StatusOr<hv_vcpu_state> PreparePvh(const PvhBoot& boot, const GuestMemory& memory) {
  BootData data(memory);
  StartInfo info{.magic = kStartMagic, .version = kStartVersion, .rsdp = boot.rsdp};
  const auto command_line = data.PlaceString(boot.command_line, "command line");
  if (!command_line.ok()) return command_line.status();
  info.command_line = *command_line;
  if (!boot.initrd.empty()) {
    const auto initrd = PlaceInitrd(boot.initrd, boot.kernel_end, kInitrdReach, memory);
    if (!initrd.ok()) return initrd.status();
    const auto list =
        data.PlaceArray<Module>({{*initrd, boot.initrd.size(), 0, 0}}, "list of modules");
    if (!list.ok()) return list.status();
    info.module_count = 1;
    info.modules = *list;
  }
  const auto entries = MapEntries(memory);
  const auto map = data.PlaceArray(entries, "memory map");
  if (!map.ok()) return map.status();
  info.memory_map = *map;
  info.memory_map_entries = static_cast<uint32_t>(entries.size());
  const auto info_at = data.PlaceArray<StartInfo>({info}, "start info");
  if (!info_at.ok()) return info_at.status();

  hv_vcpu_state state = EnterProtectedMode(boot.entry, memory);
  state.gpr[HV_RBX] = *info_at;
  return state;
}

}  // namespace hv::boot
