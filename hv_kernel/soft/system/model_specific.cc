// RDMSR, WRMSR, RDTSC, RDTSCP, RDPID, RDPMC, CPUID. The registers that are CPU state live here;
// every other MSR leaves to vcpu_svc (Intel SDM vol. 4, chapter 2; AMD APM vol. 2, appendix A).
#include "hv_kernel/msr.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

constexpr uint64_t kEferWritable = kEferSce | kEferLme | kEferNxe;

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

uint64_t HostTsc() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return uint64_t{high} << 32 | low;
}

uint64_t GuestTsc(const Cpu& cpu) { return HostTsc() + cpu.tsc_offset; }

// The counter and its adjustment move together (SDM vol. 3, 17.17.3).
void MoveTsc(Cpu& cpu, uint64_t by) {
  cpu.tsc_offset += by;
  cpu.tsc_adjust += by;
}

// The register of an MSR the engine owns; null for others and for those with rules of their own.
uint64_t* PlainRegister(Cpu& cpu, uint32_t index) {
  switch (index) {
    case kSysenterCs: return &cpu.sysenter_cs;
    case kSysenterEsp: return &cpu.sysenter_esp;
    case kSysenterEip: return &cpu.sysenter_eip;
    case kStar: return &cpu.star;
    case kLstar: return &cpu.lstar;
    case kCstar: return &cpu.cstar;
    case kSfmask: return &cpu.sfmask;
    case kFsBase: return &cpu.segment[HV_FS].base;
    case kGsBase: return &cpu.segment[HV_GS].base;
    case kKernelGsBase: return &cpu.kernel_gs_base;
    case kTscAux: return &cpu.tsc_aux;
    case kTscAdjust: return &cpu.tsc_adjust;
    case kPat: return &cpu.pat;
    case kEfer: return &cpu.efer;
    default: return nullptr;
  }
}

bool HoldsAddress(uint32_t index) {
  switch (index) {
    case kSysenterEsp:
    case kSysenterEip:
    case kLstar:
    case kCstar:
    case kFsBase:
    case kGsBase:
    case kKernelGsBase: return true;
    default: return false;
  }
}

bool ValidPat(uint64_t value) {
  for (int i = 0; i < 8; ++i, value >>= 8) {
    const uint8_t type = value & 0xff;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

Outcome WriteEfer(Cpu& cpu, uint64_t value) {
  if ((value & ~(kEferWritable | kEferLma)) != 0) return GeneralProtection(cpu);
  const uint64_t changed = cpu.efer ^ value;
  if ((changed & kEferLme) != 0 && (cpu.cr0 & kCr0Pg) != 0) return GeneralProtection(cpu);
  cpu.efer = (value & kEferWritable) | (cpu.efer & kEferLma);
  if ((changed & kEferNxe) != 0) FlushTlb(cpu, false);
  return Outcome::kDone;
}

void SetPair(Cpu& cpu, uint64_t value) {
  cpu.gpr[HV_RAX] = value & 0xffffffffu;
  cpu.gpr[HV_RDX] = value >> 32;
}

// Leaves and bits whose answers depend on this CPU and its state (abi/cpuid_table.h).
void PatchCpuid(const Cpu& cpu, uint32_t leaf, uint32_t subleaf, hv_cpuid_entry& entry) {
  constexpr uint32_t kOsxsave = 1u << 27;
  const uint32_t apic_id = cpu.config.apic_id;
  switch (leaf) {
    case 1:
      entry.ebx = (entry.ebx & 0x00ffffff) | apic_id << 24;
      entry.ecx &= ~kOsxsave;
      if ((cpu.cr4 & kCr4Osxsave) != 0) entry.ecx |= kOsxsave;
      break;
    case 0xb:
    case 0x1f: entry.edx = apic_id; break;
    case 0xd:
      // Size of the area for what XCR0 enables: 512 + 64, and 256 for AVX.
      if (subleaf == 0) entry.ebx = (cpu.xcr0 & 4) != 0 ? 832 : 576;
      if (subleaf == 1) entry.ebx = (cpu.xcr0 & 4) != 0 ? 832 : 576;
      break;
    case 0x8000001e:
      entry.eax = apic_id;
      entry.ebx = (entry.ebx & ~0xffu) | apic_id;
      break;
    default: break;
  }
}

// What counts on the TSC, vcpu_svc's deadlines, hears that it was moved.
Outcome TellTscMoved(Cpu& cpu) {
  cpu.exit = {
      .reason = ExitReason::kMsrWrite, .width = 8, .address = kTscAdjust, .data = cpu.tsc_adjust};
  return Outcome::kExit;
}

}  // namespace

Outcome Rdmsr(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const auto index = static_cast<uint32_t>(cpu.gpr[HV_RCX]);
  if (index == kTsc) {
    SetPair(cpu, GuestTsc(cpu));
    return Outcome::kDone;
  }
  if (const uint64_t* value = PlainRegister(cpu, index)) {
    SetPair(cpu, *value);
    return Outcome::kDone;
  }
  cpu.exit = {.reason = ExitReason::kMsrRead, .width = 8, .address = index};
  return Outcome::kExit;
}

Outcome Wrmsr(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const auto index = static_cast<uint32_t>(cpu.gpr[HV_RCX]);
  const uint64_t value = cpu.gpr[HV_RDX] << 32 | (cpu.gpr[HV_RAX] & 0xffffffffu);
  if (index == kTsc) {
    MoveTsc(cpu, value - GuestTsc(cpu));
    return TellTscMoved(cpu);
  }
  if (index == kTscAdjust) {
    MoveTsc(cpu, value - cpu.tsc_adjust);
    return TellTscMoved(cpu);
  }
  if (index == kEfer) return WriteEfer(cpu, value);
  if (index == kPat && !ValidPat(value)) return GeneralProtection(cpu);
  if (index == kTscAux && value >> 32 != 0) return GeneralProtection(cpu);
  if (HoldsAddress(index) && !IsCanonical(value)) return GeneralProtection(cpu);
  if (uint64_t* to = PlainRegister(cpu, index)) {
    *to = value;
    return Outcome::kDone;
  }
  cpu.exit = {.reason = ExitReason::kMsrWrite, .width = 8, .address = index, .data = value};
  return Outcome::kExit;
}

Outcome Rdtsc(Cpu& cpu, const Instruction&) {
  if (TscForbidden(cpu)) return GeneralProtection(cpu);
  SetPair(cpu, GuestTsc(cpu));
  return Outcome::kDone;
}

Outcome Rdtscp(Cpu& cpu, const Instruction&) {
  if (TscForbidden(cpu)) return GeneralProtection(cpu);
  SetPair(cpu, GuestTsc(cpu));
  cpu.gpr[HV_RCX] = cpu.tsc_aux;
  return Outcome::kDone;
}

// There are no performance counters: none has a number that would do.
Outcome Rdpmc(Cpu& cpu, const Instruction&) { return GeneralProtection(cpu); }

Outcome Rdpid(Cpu& cpu, const Instruction& insn) {
  WriteGpr(cpu, insn.operands[0], cpu.tsc_aux);
  return Outcome::kDone;
}

Outcome Cpuid(Cpu& cpu, const Instruction&) {
  const auto leaf = static_cast<uint32_t>(cpu.gpr[HV_RAX]);
  const auto subleaf = static_cast<uint32_t>(cpu.gpr[HV_RCX]);
  hv_cpuid_entry found{};
  for (const hv_cpuid_entry& entry : cpu.config.cpuid) {
    if (entry.leaf != leaf) continue;
    if ((entry.flags & HV_CPUID_SUBLEAF_MATTERS) != 0 && entry.subleaf != subleaf) continue;
    found = entry;
    break;
  }
  PatchCpuid(cpu, leaf, subleaf, found);
  cpu.gpr[HV_RAX] = found.eax;
  cpu.gpr[HV_RBX] = found.ebx;
  cpu.gpr[HV_RCX] = found.ecx;
  cpu.gpr[HV_RDX] = found.edx;
  return Outcome::kDone;
}

}  // namespace hv::soft
