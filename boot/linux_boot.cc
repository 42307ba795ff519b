#include "boot/linux_boot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "boot/boot_data.h"
#include "boot/entry_state.h"
#include "boot/initrd.h"
#include "boot/memory_map.h"

namespace hv::boot {
namespace {

// Offsets in boot_params (Linux arch/x86/include/uapi/asm/bootparam.h; boot.rst).
constexpr uint64_t kRsdpAddress = 0x070, kE820Entries = 0x1e8, kSetupMagic = 0x202,
                   kVersion = 0x206, kLoaderType = 0x210, kLoadFlags = 0x211, kRamdiskImage = 0x218,
                   kRamdiskSize = 0x21c, kCommandLinePointer = 0x228, kE820Table = 0x2d0;
constexpr uint32_t kHdrS = 0x53726448;
constexpr uint16_t kProtocol = 0x020f;
constexpr uint8_t kUndefinedLoader = 0xff, kLoadedHigh = 1;
constexpr uint32_t kDefaultInitrdMax = 0x7fffffff, kDefaultCommandLineMax = 2047;
constexpr uint64_t kPage = 4096;

constexpr uint64_t kE820EntryBytes = 20;

void WriteMemoryMap(const GuestMemory& memory) {
  uint8_t count = 0;
  for (const MemoryRange& range : MemoryMap(memory)) {
    const uint64_t at = kZeroPageAt + kE820Table + count * kE820EntryBytes;
    memory.Put(at, range.start);
    memory.Put(at + 8, range.bytes);
    memory.Put(at + 16, range.type);
    ++count;
  }
  memory.Put(kZeroPageAt + kE820Entries, count);
}

absl::Status WriteCommandLine(const LinuxBoot& boot, const GuestMemory& memory) {
  const uint64_t max =
      boot.image != nullptr ? boot.image->command_line_max : kDefaultCommandLineMax;
  if (boot.command_line.size() > max) {
    return absl::InvalidArgumentError(absl::StrCat("command line: ", boot.command_line.size(),
                                                   " bytes, this kernel takes ", max,
                                                   "; shorten it"));
  }
  BootData data(memory);
  const auto at = data.PlaceString(boot.command_line, "command line");
  if (!at.ok()) return at.status();
  memory.Put(kZeroPageAt + kCommandLinePointer, *at);
  return absl::OkStatus();
}

absl::Status WriteInitrd(const LinuxBoot& boot, const GuestMemory& memory) {
  if (boot.initrd.empty()) return absl::OkStatus();
  const uint64_t reach = boot.image != nullptr ? boot.image->initrd_address_max : kDefaultInitrdMax;
  const auto at = PlaceInitrd(boot.initrd, boot.kernel_end, reach, memory);
  if (!at.ok()) return at.status();
  memory.Put(kZeroPageAt + kRamdiskImage, static_cast<uint32_t>(*at));
  memory.Put(kZeroPageAt + kRamdiskSize, static_cast<uint32_t>(boot.initrd.size()));
  return absl::OkStatus();
}

absl::Status WriteBootParams(const LinuxBoot& boot, const GuestMemory& memory) {
  const auto zero_page = memory.Low(kZeroPageAt, kPage);
  std::fill(zero_page.begin(), zero_page.end(), std::byte{0});
  if (boot.image != nullptr) {
    const std::span header(boot.image->header.data(), boot.image->header_bytes);
    if (auto status = memory.Write(kZeroPageAt + kSetupHeaderAt, header, "set-up header");
        !status.ok()) {
      return status;
    }
  } else {
    memory.Put(kZeroPageAt + kSetupMagic, kHdrS);
    memory.Put(kZeroPageAt + kVersion, kProtocol);
  }
  memory.Put(kZeroPageAt + kLoaderType, kUndefinedLoader);
  memory.Put(kZeroPageAt + kLoadFlags, kLoadedHigh);
  memory.Put(kZeroPageAt + kRsdpAddress, boot.rsdp);
  WriteMemoryMap(memory);
  if (auto status = WriteCommandLine(boot, memory); !status.ok()) return status;
  return WriteInitrd(boot, memory);
}

}  // namespace

absl::StatusOr<hv_vcpu_state> PrepareLinux64(const LinuxBoot& boot, const GuestMemory& memory) {
  if (auto status = WriteBootParams(boot, memory); !status.ok()) return status;
  hv_vcpu_state state = EnterLongMode(boot.entry, memory);
  state.gpr[HV_RSI] = kZeroPageAt;
  state.gpr[HV_RSP] = kBootStackTop;
  return state;
}

absl::StatusOr<hv_vcpu_state> PrepareLinux32(const LinuxBoot& boot, const GuestMemory& memory) {
  if (auto status = WriteBootParams(boot, memory); !status.ok()) return status;
  hv_vcpu_state state = EnterProtectedMode(static_cast<uint32_t>(boot.entry), memory);
  state.gpr[HV_RSI] = kZeroPageAt;
  state.gpr[HV_RSP] = kBootStackTop;
  return state;
}

}  // namespace hv::boot
