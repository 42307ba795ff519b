#include "boot/entry_state.h"

#include <cstring>

namespace hv::boot {
namespace {

// Linux's __BOOT_CS and __BOOT_DS (boot.rst); the same that GRUB leaves to Multiboot kernels.
constexpr uint16_t kCodeSelector = 0x10, kDataSelector = 0x18;
constexpr uint64_t kCode64 = 0x00af9b000000ffff, kCode32 = 0x00cf9b000000ffff,
                   kData = 0x00cf93000000ffff;
// hv_segment_state::attributes of the same descriptors.
constexpr uint32_t kCode64Attributes = 0xa09b, kCode32Attributes = 0xc09b, kDataAttributes = 0xc093,
                   kBusyTss32Attributes = 0x8b;
constexpr uint32_t kTssLimit = 0x67;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPresentWritable = 3, kLargePage = 0x83;

constexpr uint64_t kCr0Pe = 1u << 0, kCr0Et = 1u << 4, kCr0Ne = 1u << 5, kCr0Pg = 1u << 31;
constexpr uint64_t kCr4Pae = 1u << 5;
constexpr uint64_t kEferLme = 1u << 8, kEferLma = 1u << 10;
constexpr uint64_t kRflagsFixed = 2;
constexpr uint64_t kDr6Reset = 0xffff0ff0, kDr7Reset = 0x400, kPatReset = 0x0007040600070406;
constexpr uint16_t kFninitControl = 0x37f;
constexpr uint32_t kMxcsrReset = 0x1f80;
constexpr size_t kMxcsrOffset = 24;

hv_segment_state Flat(uint16_t selector, uint32_t attributes) {
  hv_segment_state segment{};
  segment.limit = 0xffffffff;
  segment.selector = selector;
  segment.attributes = attributes;
  return segment;
}

// What both modes have in common.
hv_vcpu_state FlatState(uint64_t entry, uint64_t code_descriptor, uint32_t code_attributes,
                        const GuestMemory& memory) {
  const uint64_t gdt[] = {0, 0, code_descriptor, kData};
  memory.Put(kGdtAt, gdt);
  hv_vcpu_state state{};
  state.rip = entry;
  state.rflags = kRflagsFixed;
  for (auto& segment : state.segment) segment = Flat(kDataSelector, kDataAttributes);
  state.segment[HV_CS] = Flat(kCodeSelector, code_attributes);
  state.tr.attributes = kBusyTss32Attributes;
  state.tr.limit = kTssLimit;
  state.ldtr.attributes = HV_SEGMENT_UNUSABLE;
  state.gdtr = {.base = kGdtAt, .limit = sizeof(gdt) - 1, .reserved = {}};
  state.xcr0 = 1;
  state.pat = kPatReset;
  state.dr[6] = kDr6Reset;
  state.dr[7] = kDr7Reset;
  std::memcpy(state.xsave, &kFninitControl, sizeof(kFninitControl));
  std::memcpy(state.xsave + kMxcsrOffset, &kMxcsrReset, sizeof(kMxcsrReset));
  return state;
}

// The first 4 GiB, one to one, in 2 MiB pages.
void WritePageTables(const GuestMemory& memory) {
  memory.Put(kPageTablesAt, (kPageTablesAt + kPage) | kPresentWritable);
  for (uint64_t gib = 0; gib < 4; ++gib) {
    const uint64_t directory = kPageTablesAt + (2 + gib) * kPage;
    memory.Put(kPageTablesAt + kPage + gib * 8, directory | kPresentWritable);
    for (uint64_t i = 0; i < 512; ++i) {
      memory.Put(directory + i * 8, (gib << 30 | i << 21) | kLargePage);
    }
  }
}

}  // namespace

hv_vcpu_state EnterLongMode(uint64_t entry, const GuestMemory& memory) {
  WritePageTables(memory);
  hv_vcpu_state state = FlatState(entry, kCode64, kCode64Attributes, memory);
  state.cr0 = kCr0Pg | kCr0Ne | kCr0Et | kCr0Pe;
  state.cr3 = kPageTablesAt;
  state.cr4 = kCr4Pae;
  state.efer = kEferLma | kEferLme;
  return state;
}

hv_vcpu_state EnterProtectedMode(uint32_t entry, const GuestMemory& memory) {
  hv_vcpu_state state = FlatState(entry, kCode32, kCode32Attributes, memory);
  state.cr0 = kCr0Et | kCr0Pe;
  return state;
}

}  // namespace hv::boot
