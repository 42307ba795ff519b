#include "hv_kernel/soft/differential/guest_run.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hv_kernel/soft/soft_engine.h"

namespace hv::soft::differential {
namespace {

// Guest-physical memory; the system's part is mapped at the same linear addresses, for ring 0
// alone.
constexpr uint64_t kRamBytes = 16u << 20;
constexpr uint64_t kIdt = 0x1000;
constexpr uint64_t kGdt = 0x2000;
constexpr uint64_t kTss = 0x3000;
constexpr uint64_t kHandlers = 0x4000;  // 16 bytes a vector, each HLT
constexpr uint64_t kKernelStack = 0x8000;
constexpr size_t kSystemPages = 16;
constexpr uint64_t kRootTable = 0x10000;
constexpr uint64_t kDataPhysical = 0x200000;
constexpr uint64_t kCodePhysical = 0x400000;

constexpr uint64_t kPresent = 1, kWritable = 2, kUser = 4;
constexpr uint64_t kTableFlags = kPresent | kWritable | kUser;

// Linux's selectors (arch/x86/include/asm/segment.h), so that code which looks sees the same.
constexpr uint16_t kKernelCs = 0x10, kUserCs = 0x33, kUserCs32 = 0x23, kUserDs = 0x2b,
                   kTssSelector = 0x40;
constexpr uint64_t kKernelCode = 0x00af9b000000ffff, kKernelData = 0x00cf93000000ffff,
                   kUserCode32 = 0x00cffb000000ffff, kUserData = 0x00cff3000000ffff,
                   kUserCode64 = 0x00affb000000ffff;
constexpr uint32_t kAttributesUserCode = 0xa0fb, kAttributesUserCode32 = 0xc0fb,
                   kAttributesUserData = 0xc0f3, kAttributesTss = 0x8b;

// CR0: PE MP ET NE WP PG. CR4: PAE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE. EFER: SCE LME LMA NXE.
constexpr uint64_t kCr0 = 0x80010033;
constexpr uint64_t kCr4 = 1u << 5 | 1u << 9 | 1u << 10 | 1u << 16 | 1u << 18;
constexpr uint64_t kEfer = 0xd01;
constexpr uint64_t kXcr0 = 7;
constexpr uint64_t kXsavePresent = 7;

constexpr uint64_t kTssIoMapBase = 102, kTssBytes = 0x68;
constexpr uint8_t kInterruptVector = 48;
constexpr int kBreakpoint = 3, kOverflow = 4, kPageFault = 14;
constexpr bool HasErrorCode(uint64_t vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

// The first two pages lie one behind the other in memory, the rest does not.
constexpr uint64_t DataPhysical(size_t page) {
  constexpr uint64_t kPlaces[kDataPages + 1] = {0, 1, 4, 3, 2};
  return kDataPhysical + kPlaces[page] * kPage;
}

hv_segment_state Segment(uint16_t selector, uint32_t attributes, uint64_t base = 0) {
  hv_segment_state segment{};
  segment.base = base;
  segment.limit = 0xffffffff;
  segment.selector = selector;
  segment.attributes = attributes;
  return segment;
}

}  // namespace

GuestRunner::GuestRunner() : memory_(kRamBytes + kPage), next_table_(kRootTable + kPage) {
  auto start = reinterpret_cast<uintptr_t>(memory_.data());
  ram_ = {memory_.data() + ((start + kPage - 1) / kPage * kPage - start), kRamBytes};
  BuildTables();
  auto engine = CreateSoftEngine({.cold_turns = 0});
  if (!engine.ok()) {
    std::fprintf(stderr, "soft engine: %s\n", engine.status().ToString().c_str());
    std::abort();
  }
  engine_ = std::move(*engine);
  ForgetCode();
  auto vcpu =
      engine_->CreateVcpu({.index = 0, .apic_id = 0, .attention = &attention_, .cpuid = {}});
  if (!vcpu.ok()) {
    std::fprintf(stderr, "vCPU: %s\n", vcpu.status().ToString().c_str());
    std::abort();
  }
  vcpu_ = std::move(*vcpu);
}

std::span<uint8_t> GuestRunner::code() {
  return {reinterpret_cast<uint8_t*>(ram_.data()) + kCodePhysical, kCodeBytes};
}

void GuestRunner::ForgetCode() {
  const hv_memory_slot slot = {
      .address = 0, .bytes = kRamBytes, .offset = 0, .flags = 0, .reserved = 0};
  const absl::Status status = engine_->SetMemory({&slot, 1}, ram_, nullptr);
  if (!status.ok()) {
    std::fprintf(stderr, "guest memory: %s\n", status.ToString().c_str());
    std::abort();
  }
}

void GuestRunner::Put(uint64_t physical, uint64_t value) {
  std::memcpy(ram_.data() + physical, &value, sizeof(value));
}
uint64_t GuestRunner::Get(uint64_t physical) const {
  uint64_t value;
  std::memcpy(&value, ram_.data() + physical, sizeof(value));
  return value;
}

void GuestRunner::Map(uint64_t linear, uint64_t physical, size_t pages, uint64_t flags) {
  for (size_t i = 0; i < pages; ++i, linear += kPage, physical += kPage) {
    uint64_t table = kRootTable;
    for (int shift = 39; shift > 12; shift -= 9) {
      const uint64_t entry = table + (linear >> shift) % 512 * 8;
      if (Get(entry) == 0) {
        Put(entry, next_table_ | kTableFlags);
        next_table_ += kPage;
      }
      table = Get(entry) & ~(kPage - 1);
    }
    Put(table + (linear >> 12) % 512 * 8, physical | flags);
  }
}

void GuestRunner::BuildTables() {
  Map(0, 0, kSystemPages, kPresent | kWritable);
  for (size_t page = 0; page <= kDataPages; ++page) {
    const uint64_t writable = page < kDataPages ? kWritable : 0;
    Map(kDataFirst + page * kPage, DataPhysical(page), 1, kPresent | writable | kUser);
  }
  Map(kCodeFirst, kCodePhysical, kCodeBytes / kPage, kPresent | kWritable | kUser);
  const uint64_t gdt[] = {0,           kKernelCode, kKernelCode, kKernelData,
                          kUserCode32, kUserData,   kUserCode64};
  std::memcpy(ram_.data() + kGdt, gdt, sizeof(gdt));
  Put(kGdt + kTssSelector, 0x00008b0000000067 | kTss << 16);
  Put(kTss + 4, kKernelStack);
  Put(kTss + kTssIoMapBase, kTssBytes);  // past the limit: no port is user mode's
  for (uint64_t vector = 0; vector < 256; ++vector) {
    const uint64_t handler = kHandlers + vector * 16;
    const uint64_t dpl = vector == kBreakpoint || vector == kOverflow ? 3 : 0;
    Put(kIdt + vector * 16, (handler & 0xffff) | uint64_t{kKernelCs} << 16 |
                                (0x8e00 | dpl << 13) << 32 | (handler >> 16) << 48);
    ram_[handler] = std::byte{0xf4};
  }
  constexpr uint8_t kIretq[] = {0x48, 0xcf};
  std::memcpy(&ram_[kHandlers + kInterruptVector * 16], kIretq, sizeof(kIretq));
}

hv_vcpu_state GuestRunner::UserState(const MachineState& from) const {
  hv_vcpu_state state{};
  std::memcpy(state.gpr, from.gpr, sizeof(state.gpr));
  state.rip = from.rip;
  state.rflags = from.rflags;
  const hv_segment_state null_data = Segment(0, HV_SEGMENT_UNUSABLE);
  for (auto& segment : state.segment) segment = null_data;
  state.segment[HV_CS] = Segment(kUserCs, kAttributesUserCode);
  state.segment[HV_DS] = state.segment[HV_ES] = Segment(kUserDs, kAttributesUserData);
  if (from.width == CodeWidth::k32) {
    state.segment[HV_CS] = Segment(kUserCs32, kAttributesUserCode32);
  }
  state.segment[HV_SS] = Segment(kUserDs, kAttributesUserData);
  state.segment[HV_GS].base = kGsBase;
  state.ldtr = null_data;
  state.tr = Segment(kTssSelector, kAttributesTss, kTss);
  state.tr.limit = 0x67;
  state.gdtr = {.base = kGdt, .limit = kTssSelector + 15, .reserved = {}};
  state.idtr = {.base = kIdt, .limit = 0xfff, .reserved = {}};
  state.cr0 = kCr0;
  state.cr3 = kRootTable;
  state.cr4 = kCr4;
  state.efer = kEfer;
  state.xcr0 = kXcr0;
  state.dr[6] = 0xffff0ff0;
  state.dr[7] = 0x400;
  state.pat = 0x0007040600070406;
  std::memcpy(state.xsave, from.xsave.data(), kXsaveBytes);
  std::memset(state.xsave + 416, 0, kYmmHighOffset - 416);
  state.xsave[kXsaveHeaderOffset] = kXsavePresent;
  return state;
}

Ending GuestRunner::Run(const MachineState& begin, std::span<const uint8_t> memory,
                        std::string& error) {
  for (size_t page = 0; page <= kDataPages; ++page) {
    std::memcpy(ram_.data() + DataPhysical(page), memory.data() + page * kPage, kPage);
  }
  Ending ending;
  hv_vcpu_state state = UserState(begin);
  if (const absl::Status status = vcpu_->SetState(state); !status.ok()) {
    error = "SetState: " + status.ToString();
    return ending;
  }
  Exit exit = vcpu_->Run();
  while (exit.reason == ExitReason::kAttention) {
    attention_.store(0, std::memory_order_relaxed);
    if (vcpu_->CanTakeInterrupt()) {
      vcpu_->InjectInterrupt(kInterruptVector);
      ++interrupts_;
    }
    exit = vcpu_->Run();
  }
  vcpu_->GetState(state);
  if (exit.reason != ExitReason::kHalt) {
    error = "exit " + std::to_string(static_cast<int>(exit.reason)) + ": " + vcpu_->Describe();
    return ending;
  }
  ending.vector = static_cast<uint32_t>((state.rip - kHandlers) / 16);
  std::memcpy(ending.state.gpr, state.gpr, sizeof(state.gpr));
  // The frame of the exception (SDM vol. 3, figure 6-9): error code, RIP, CS, RFLAGS, RSP, SS.
  const uint64_t frame = kKernelStack - 40;
  ending.error_code = HasErrorCode(ending.vector) ? Get(frame - 8) : 0;
  if (state.gpr[HV_RSP] != (HasErrorCode(ending.vector) ? frame - 8 : frame)) {
    error = "exception frame at " + std::to_string(state.gpr[HV_RSP]);
    return ending;
  }
  ending.state.rip = Get(frame);
  ending.state.rflags = Get(frame + 16);
  ending.state.gpr[HV_RSP] = Get(frame + 24);
  if (ending.vector == kPageFault) ending.fault_address = state.cr2;
  std::memcpy(ending.state.xsave.data(), state.xsave, kXsaveBytes);
  Normalise(ending.state.xsave);
  for (size_t page = 0; page <= kDataPages; ++page) {
    const auto* at = reinterpret_cast<const uint8_t*>(ram_.data()) + DataPhysical(page);
    ending.memory.insert(ending.memory.end(), at, at + kPage);
  }
  return ending;
}

}  // namespace hv::soft::differential
