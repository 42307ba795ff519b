#include "boot/linux_boot.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

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
constexpr uint32_t kUsable = 1, kReserved = 2;

// boot.rst: __BOOT_CS and __BOOT_DS are selectors 10H and 18H, flat.
constexpr uint64_t kCodeDescriptor = 0x00af9b000000ffff, kDataDescriptor = 0x00cf93000000ffff;
constexpr uint64_t kGdt[] = {0, 0, kCodeDescriptor, kDataDescriptor};
constexpr uint64_t kTablePresentWritable = 3, kLargePage = 0x83;

class E820 {
 public:
  explicit E820(const GuestMemory& memory) : memory_(memory) {}
  void Add(uint64_t start, uint64_t end, uint32_t type) {
    if (start >= end) return;
    const uint64_t at = kZeroPageAt + kE820Table + uint64_t{count_} * 20;
    memory_.Put(at, start);
    memory_.Put(at + 8, end - start);
    memory_.Put(at + 16, type);
    memory_.Put(kZeroPageAt + kE820Entries, ++count_);
  }

 private:
  const GuestMemory& memory_;
  uint8_t count_ = 0;
};

void WriteMemoryMap(const GuestMemory& memory) {
  E820 map(memory);
  map.Add(0, kLowMemoryEnd, kUsable);
  map.Add(kLowMemoryEnd, kHighMemoryStart, kReserved);  // EBDA, ROM area, ACPI tables
  map.Add(kHighMemoryStart, memory.low_bytes(), kUsable);
  map.Add(HV_HIGH_RAM_BASE, HV_HIGH_RAM_BASE + memory.high_bytes(), kUsable);
}

// The first 4 GiB, one to one, in 2 MiB pages.
void WritePageTables(const GuestMemory& memory) {
  memory.Put(kPageTablesAt, (kPageTablesAt + kPage) | kTablePresentWritable);
  for (uint64_t gib = 0; gib < 4; ++gib) {
    const uint64_t directory = kPageTablesAt + (2 + gib) * kPage;
    memory.Put(kPageTablesAt + kPage + gib * 8, directory | kTablePresentWritable);
    for (uint64_t i = 0; i < 512; ++i) {
      memory.Put(directory + i * 8, (gib << 30 | i << 21) | kLargePage);
    }
  }
}

absl::Status WriteCommandLine(const LinuxBoot& boot, const GuestMemory& memory) {
  const uint64_t kernel_max =
      boot.image != nullptr ? boot.image->command_line_max : kDefaultCommandLineMax;
  const uint64_t max = std::min(kernel_max, kCommandLineMax - 1);
  if (boot.command_line.size() > max) {
    return absl::InvalidArgumentError(absl::StrCat("command line: ", boot.command_line.size(),
                                                   " bytes, this kernel takes ", max));
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(boot.command_line.c_str());
  memory.Put(kZeroPageAt + kCommandLinePointer, static_cast<uint32_t>(kCommandLineAt));
  return memory.Write(kCommandLineAt, {bytes, boot.command_line.size() + 1}, "command line");
}

// As high as the kernel can reach, page aligned, above the kernel.
absl::Status WriteInitrd(const LinuxBoot& boot, const GuestMemory& memory) {
  if (boot.initrd.empty()) return absl::OkStatus();
  const uint64_t reach = boot.image != nullptr ? boot.image->initrd_address_max : kDefaultInitrdMax;
  const uint64_t top = std::min(memory.low_bytes(), reach + 1);
  const uint64_t bottom = (boot.kernel_end + kPage - 1) & ~(kPage - 1);
  if (bottom > top || boot.initrd.size() > top - bottom) {
    return absl::InvalidArgumentError(absl::StrCat(
        "initrd: ", boot.initrd.size(), " bytes, but only ", top > bottom ? top - bottom : 0,
        " are free above the kernel; give the machine more --memory"));
  }
  const uint64_t at = (top - boot.initrd.size()) & ~(kPage - 1);
  memory.Put(kZeroPageAt + kRamdiskImage, static_cast<uint32_t>(at));
  memory.Put(kZeroPageAt + kRamdiskSize, static_cast<uint32_t>(boot.initrd.size()));
  return memory.Write(at, boot.initrd, "initrd");
}

hv_segment_state Flat(uint16_t selector, uint32_t attributes) {
  hv_segment_state segment{};
  segment.limit = 0xffffffff;
  segment.selector = selector;
  segment.attributes = attributes;
  return segment;
}

hv_vcpu_state EntryState(uint64_t entry) {
  hv_vcpu_state state{};
  state.rip = entry;
  state.gpr[HV_RSI] = kZeroPageAt;
  state.gpr[HV_RSP] = kBootStackTop;
  state.rflags = 2;
  for (auto& segment : state.segment) segment = Flat(0x18, 0xc093);
  state.segment[HV_CS] = Flat(0x10, 0xa09b);
  state.tr.attributes = 0x8b;
  state.tr.limit = 0xffff;
  state.ldtr.attributes = HV_SEGMENT_UNUSABLE;
  state.gdtr = {.base = kGdtAt, .limit = sizeof(kGdt) - 1, .reserved = {}};
  state.cr0 = 0x80000031;  // PG, NE, ET, PE
  state.cr3 = kPageTablesAt;
  state.cr4 = 0x20;  // PAE
  state.efer = 0x500;  // LMA, LME
  state.xcr0 = 1;
  state.pat = 0x0007040600070406;
  state.dr[6] = 0xffff0ff0;
  state.dr[7] = 0x400;
  const uint16_t fcw = 0x37f;
  const uint32_t mxcsr = 0x1f80;
  std::memcpy(state.xsave, &fcw, sizeof(fcw));
  std::memcpy(state.xsave + 24, &mxcsr, sizeof(mxcsr));
  return state;
}

}  // namespace

absl::StatusOr<hv_vcpu_state> PrepareLinux(const LinuxBoot& boot, const GuestMemory& memory) {
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
  WritePageTables(memory);
  memory.Put(kGdtAt, kGdt);
  if (auto status = WriteCommandLine(boot, memory); !status.ok()) return status;
  if (auto status = WriteInitrd(boot, memory); !status.ok()) return status;
  return EntryState(boot.entry);
}

}  // namespace hv::boot
