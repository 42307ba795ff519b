// The state of one guest CPU as the soft engine keeps it. Generated code addresses it off the GS
// segment base, everything else through a reference.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/vcpu_state.h"
#include "hv_kernel/engine.h"

namespace hv::soft {

// Guest-virtual and guest-physical addresses are plain 64-bit numbers in generated code; in C++
// they are told apart by name: `linear`, `physical`.
inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kPageMask = ~(kPageBytes - 1);
inline constexpr uint64_t kPageOffsetMask = kPageBytes - 1;

// A set of slots of a table, for walking through those that are in it.
template <size_t kSlots>
struct SlotSet {
  static_assert(kSlots % 64 == 0);
  uint64_t words[kSlots / 64];

  void Add(size_t slot) { words[slot / 64] |= uint64_t{1} << slot % 64; }
  void Remove(size_t slot) { words[slot / 64] &= ~(uint64_t{1} << slot % 64); }
  bool Contains(size_t slot) const { return (words[slot / 64] >> slot % 64 & 1) != 0; }
  // `visit` may remove the slot it is given.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (size_t word = 0; word < kSlots / 64; ++word) {
      for (uint64_t left = words[word]; left != 0; left &= left - 1) {
        visit(word * 64 + static_cast<size_t>(__builtin_ctzll(left)));
      }
    }
  }
};

// Which of the translation look-aside buffers an access goes through: rights differ by privilege
// and, with SMAP, by RFLAGS.AC. Part of a block's key, so generated code has it as a constant.
enum class TlbIndex : uint8_t { kUser = 0, kSupervisor = 1, kSupervisorAc = 2 };
inline constexpr size_t kTlbCount = 3;
inline constexpr size_t kTlbEntries = 4096;

// Direct-mapped; one page a slot. Tags are kept negated: linear + tag is the offset into the page
// when the page is the slot's, so one addition and one comparison check both the page and that the
// access ends in it. A slot that allows no such access has the tag of a page that belongs in
// another slot. `write_tag` stays so while the page holds translated code, is ROM, or still has its
// dirty bit to be set or, where writes are logged, its bit in the dirty log.
struct Tlb {
  uint64_t read_tag[kTlbEntries];
  uint64_t write_tag[kTlbEntries];
  uint64_t host_page[kTlbEntries];  // host address of the page's first byte
  uint64_t addend[kTlbEntries];     // host_page - linear page
  // --- Not for generated code.
  uint64_t physical_page[kTlbEntries];
  uint8_t page_shift[kTlbEntries];  // 12, 21, 22 or 30: what INVLPG of any address inside drops
  SlotSet<kTlbEntries> used;        // all that may have a tag
  SlotSet<kTlbEntries> local;       // of these, what MOV CR3 drops: pages that are not global
  SlotSet<kTlbEntries> large;       // of these, pieces of pages larger than 4 KiB
};
constexpr size_t TlbSlot(uint64_t linear) { return (linear / kPageBytes) % kTlbEntries; }
constexpr uint64_t TlbTag(uint64_t linear) { return 0 - (linear & kPageMask); }
// Half the table away, so that not even an access that begins in the page before would seem to fit.
constexpr uint64_t NoTlbTag(size_t slot) { return 0 - ((slot ^ kTlbEntries / 2) * kPageBytes); }

// A page without RAM, as a walk found it: accesses to it never go by the TLB, and should not walk
// again.
struct DevicePage {
  uint64_t linear_page;  // kNoDevicePage: none
  uint64_t physical_page;
  bool writable;
};
inline constexpr uint64_t kNoDevicePage = 1;
inline constexpr size_t kDevicePages = 16;
constexpr size_t DevicePageSlot(uint64_t linear) { return (linear / kPageBytes) % kDevicePages; }

// How many probes of one block may serve several accesses each.
inline constexpr size_t kSharedProbes = 8;

// Where indirect jumps find translated code: direct-mapped by low bits of the RIP, but not the
// lowest two: functions begin at multiples of 16, and where calls return is rarely nearer than 4.
struct JumpCacheEntry {
  uint64_t tag;   // negated RIP
  uint64_t code;  // host address
};
inline constexpr size_t kJumpCacheEntries = 8192;
// What is known of the pages whose code is in a jump cache: 4 KiB pages and the larger sizes apart,
// each by a few bits of its number. No bit, no code.
inline constexpr size_t kPageSizes = 4;
using CodePages = SlotSet<512>;
struct JumpCache {
  JumpCacheEntry entry[kJumpCacheEntries];
  SlotSet<kJumpCacheEntries> used;
  CodePages pages[kPageSizes];
  bool has_local;  // supervisor code of pages that are not global
  uint64_t life;   // differs for each time that one of the jump caches has been emptied
};
inline constexpr int kJumpSlotShift = 2;
constexpr size_t JumpCacheSlot(uint64_t rip) { return (rip >> kJumpSlotShift) % kJumpCacheEntries; }
// As NoTlbTag: a RIP that belongs in another slot.
constexpr uint64_t NoJumpCacheTag(size_t slot) {
  return 0 - (uint64_t{slot ^ 1} << kJumpSlotShift);
}

// Exceptions by vector (SDM vol. 3, table 6-1).
enum class Vector : uint8_t {
  kDivideError = 0,
  kDebug = 1,
  kNmi = 2,
  kBreakpoint = 3,
  kOverflow = 4,
  kBoundRange = 5,
  kInvalidOpcode = 6,
  kDeviceNotAvailable = 7,
  kDoubleFault = 8,
  kInvalidTss = 10,
  kSegmentNotPresent = 11,
  kStackFault = 12,
  kGeneralProtection = 13,
  kPageFault = 14,
  kFloatingPoint = 16,
  kAlignmentCheck = 17,
  kMachineCheck = 18,
  kSimd = 19,
};

// An exception found while an instruction was executed and not yet delivered.
struct Exception {
  uint8_t vector = 0;
  bool has_error_code = false;
  bool general_detect = false;  // #DB: a fault, of MOV DR under DR7.GD
  uint32_t error_code = 0;
  uint64_t address = 0;  // #PF: CR2; #DB: bits to set in DR6
};

// What became of an instruction, a memory access or a delivery.
enum class Outcome : uint8_t {
  kDone,       // retired; cpu.rip is the next instruction
  kException,  // cpu.exception is set, nothing else has changed (bar partial REP progress)
  kExit,       // cpu.exit is set; the loop must serve it, then Run() goes on
};

// For functions that give an Outcome: leaves the caller with anything but kDone.
#define HV_RETURN_UNLESS_DONE(expression)                  \
  do {                                                     \
    if (const ::hv::soft::Outcome outcome_ = (expression); \
        outcome_ != ::hv::soft::Outcome::kDone) {          \
      return outcome_;                                     \
    }                                                      \
  } while (false)

// Progress of an access that left to the run loop: the instruction starts again, and finds its
// answer here. One instruction may make several such accesses (an 8-byte load split in two, CMPXCHG
// on a device); answers are kept in order until the instruction retires.
struct PendingAccess {
  uint64_t address;
  uint64_t value;
  uint8_t width;
  uint8_t space;  // enum hv_space
};
inline constexpr size_t kMaxPendingAccesses = 16;

class PhysicalMemory;
class CodeTracker;
struct CodePeer;
struct Instruction;

struct Cpu {
  // --- Reached from generated code; offsets must stay below 2^31, hot fields first.
  uint64_t gpr[16];  // enum hv_gpr; those kept in host registers are stale inside generated code
  uint64_t rip;      // linear = cs.base + rip
  // RFLAGS without CF PF AF ZF SF OF while generated code runs (those are in the host's flags),
  // whole outside it. DF is always here, the host's is always clear.
  uint64_t rflags;
  // config.attention, or a word that is never zero while there is mail (code_exchange.h). Other
  // vCPUs store it: atomic accesses only.
  const std::atomic<uint32_t>* attention;
  uint64_t scratch[8];             // of the translator: values held across a memory access
  uint64_t shared[kSharedProbes];  // host addresses that probes have found (shared_probes.h)
  // Guest registers, by enum hv_gpr, whose host registers hold something else (held_pages.h).
  uint64_t set_aside[16];
  uint64_t saved_rcx;  // of the flagless comparisons
  uint64_t host_rsp;
  uint64_t host_flags;  // as they were when generated code was left
  // Where generated code is entered, and what host R10 holds then and held when it was left.
  uint64_t enter_code;
  uint64_t host_r10;
  // Why it was left: a translate/leave_site.h LeaveSite.
  uint64_t leave_site;
  // PEXT masks: the bits of a linear address that choose a TLB slot, its page, a jump cache slot.
  uint64_t tlb_slot_mask;
  uint64_t page_mask;
  uint64_t jump_slot_mask;
  Tlb tlb[kTlbCount];
  JumpCache jump_cache[kTlbCount];
  DevicePage device_pages[kTlbCount][kDevicePages];

  // --- Architectural state.
  hv_segment_state segment[6];  // enum hv_segment_register
  hv_segment_state ldtr;
  hv_segment_state tr;
  hv_descriptor_table gdtr;
  hv_descriptor_table idtr;
  uint64_t cr0, cr2, cr3, cr4, cr8;
  uint64_t dr[8];
  uint64_t xcr0;
  uint64_t efer, star, lstar, cstar, sfmask;
  uint64_t kernel_gs_base;
  uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
  uint64_t pat, tsc_aux, tsc_offset, tsc_adjust;
  bool halted;
  bool want_interrupt_window;
  bool want_nmi_window;
  bool nmi_blocked;
  // The instruction in hand traps when it has retired: RFLAGS.TF was set as it began.
  bool single_step;
  // Bits of DR6: the data and I/O breakpoints that the instruction in hand has hit.
  uint64_t breakpoint_hits;
  // Interrupts are held off for one instruction after STI (1) and MOV/POP SS (2).
  uint32_t interrupt_shadow;
  // How often the PAUSE executed last has been executed running (system/pause.cc).
  uint32_t pauses;
  uint64_t pause_rip;
  uint64_t cores_given_away;

  // --- Of the engine.
  uint64_t next_rip;  // while a handler runs: where the guest goes on when it returns kDone
  Exception exception;
  Exit exit;
  // Reads the current instruction has made of devices, and writes it has retired to them.
  PendingAccess reads[kMaxPendingAccesses];
  uint32_t read_count;   // answered ones of the current instruction
  uint32_t read_cursor;  // next to be found by the instruction now running again
  PendingAccess writes[kMaxPendingAccesses];
  uint32_t write_count;
  uint32_t write_cursor;  // next to leave
  // The load that has left to a device and ends with its answer (device_moves.h).
  struct PendingLoad {
    bool pending;
    bool extends_sign;
    bool high_byte;  // into AH, CH, DH, BH as `reg` 0 to 3
    uint8_t reg;     // enum hv_gpr
    uint8_t bytes;   // of the register
  };
  PendingLoad load;
  // Where the memory operands of the instruction running in slow mode are.
  struct Bounce {
    uint64_t linear;
    uint64_t host;
    uint32_t bytes;
    bool write;
    bool stack;
    bool direct;  // `host` is the RAM itself, at `physical`
    uint64_t physical;
    uint64_t ram_page;
  };
  Bounce bounced[2];
  // Code pages written to, not yet cleaned up after. Past the last entry: everything is.
  struct CodeWrite {
    uint64_t physical;
    uint64_t bytes;
  };
  static constexpr uint32_t kMaxCodeWrites = 32;
  CodeWrite code_writes[kMaxCodeWrites];
  uint32_t code_write_count;
  uint32_t bounce_count;  // of `bounced`
  // Of the last host signal in generated code (host_fault.h).
  uint64_t fault_pc;
  int fault_signal;
  int fault_trap;  // the host's exception vector
  // The guest's vector state is in the host's registers, not in `xsave`.
  bool vector_live;
  uint8_t exit_gpr;  // kCr8Read: where the answer goes
  // What the jump caches were filled under: the mode, and the base of CS.
  uint32_t jump_cache_mode;
  uint64_t jump_cache_base;
  uint64_t jump_cache_lives;
  const PhysicalMemory* memory;
  CodeTracker* code;
  CodePeer* peer;
  VcpuConfig config;
  alignas(64) uint8_t bounce[2][1024 + 64];
  // Guest x87, SSE and AVX state while it is not in the host's registers (standard XSAVE format).
  alignas(64) uint8_t xsave[HV_XSAVE_BYTES];
};

constexpr uint64_t kCr0Pe = 1u << 0, kCr0Mp = 1u << 1, kCr0Em = 1u << 2, kCr0Ts = 1u << 3,
                   kCr0Ne = 1u << 5, kCr0Wp = 1u << 16, kCr0Am = 1u << 18, kCr0Nw = 1u << 29,
                   kCr0Cd = 1u << 30, kCr0Pg = 1u << 31;
constexpr uint64_t kCr4Vme = 1u << 0, kCr4Pvi = 1u << 1, kCr4Tsd = 1u << 2, kCr4De = 1u << 3,
                   kCr4Pse = 1u << 4, kCr4Pae = 1u << 5, kCr4Mce = 1u << 6, kCr4Pge = 1u << 7,
                   kCr4Pce = 1u << 8, kCr4Osfxsr = 1u << 9, kCr4Osxmmexcpt = 1u << 10,
                   kCr4Umip = 1u << 11, kCr4Fsgsbase = 1u << 16, kCr4Pcide = 1u << 17,
                   kCr4Osxsave = 1u << 18, kCr4Smep = 1u << 20, kCr4Smap = 1u << 21;
constexpr uint64_t kEferSce = 1u << 0, kEferLme = 1u << 8, kEferLma = 1u << 10, kEferNxe = 1u << 11;
constexpr uint64_t kFlagCf = 1u << 0, kFlagPf = 1u << 2, kFlagAf = 1u << 4, kFlagZf = 1u << 6,
                   kFlagSf = 1u << 7, kFlagTf = 1u << 8, kFlagIf = 1u << 9, kFlagDf = 1u << 10,
                   kFlagOf = 1u << 11, kFlagIopl = 3u << 12, kFlagNt = 1u << 14, kFlagRf = 1u << 16,
                   kFlagVm = 1u << 17, kFlagAc = 1u << 18, kFlagVif = 1u << 19, kFlagVip = 1u << 20,
                   kFlagId = 1u << 21;
constexpr uint64_t kArithmeticFlags = kFlagCf | kFlagPf | kFlagAf | kFlagZf | kFlagSf | kFlagOf;

inline uint32_t PrivilegeLevel(const Cpu& cpu) {
  return (cpu.segment[HV_SS].attributes >> 5) & 3;  // SDM vol. 3, 25.4.1: SS.DPL is the CPL
}
// RDTSC and RDTSCP fault.
inline bool TscForbidden(const Cpu& cpu) {
  return (cpu.cr4 & kCr4Tsd) != 0 && PrivilegeLevel(cpu) != 0;
}
inline bool LongModeActive(const Cpu& cpu) { return (cpu.efer & kEferLma) != 0; }
inline bool In64BitMode(const Cpu& cpu) {
  return LongModeActive(cpu) && (cpu.segment[HV_CS].attributes & (1u << 13)) != 0;
}

}  // namespace hv::soft
