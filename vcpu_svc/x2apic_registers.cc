// The registers of a local APIC as MSRs 800H to 8FFH: which exist, and which bits take #GP (Intel
// SDM vol. 3, table 11-6 and 11.12.1.3).
#include "vcpu_svc/local_apic.h"

namespace hv::vcpu {
namespace {

// Bits that may be written as ones; nothing for a register that cannot be written.
std::optional<uint64_t> Writable(uint32_t number) {
  switch (number) {
    case ApicRegister::kTpr:
    case ApicRegister::kSelfIpi: return 0xff;
    case ApicRegister::kEoi:
    case ApicRegister::kEsr: return 0;
    case ApicRegister::kSvr: return SpuriousRegister::kWritable;
    case ApicRegister::kIcrLow:
      return 0xffffffff00000000 | CommandRegister::kWritable | CommandRegister::kDeliveryStatus;
    case ApicRegister::kInitialCount: return 0xffffffff;
    case ApicRegister::kDivide: return DivideConfiguration::kWritable;
    default: break;
  }
  if (number < ApicRegister::kLvtTimer || number > ApicRegister::kLvtError) return std::nullopt;
  return LvtEntry::Writable(static_cast<Lvt>(number - ApicRegister::kLvtTimer)) |
         LvtEntry::kReadOnly;
}

}  // namespace

std::optional<uint64_t> LocalApic::ReadMsr(uint32_t number, uint64_t now_ns) const {
  if (!x2apic()) return std::nullopt;
  const auto low = Read(number, now_ns);
  if (!low) return std::nullopt;
  if (number == ApicRegister::kIcrLow) return uint64_t{s_.icr_high} << 32 | *low;
  return *low;
}

bool LocalApic::WriteMsr(uint32_t number, uint64_t value, uint64_t now_ns, Effects& effects) {
  if (!x2apic()) return false;
  const auto writable = Writable(number);
  if (!writable || (value & ~*writable) != 0) return false;
  if (number == ApicRegister::kIcrLow) s_.icr_high = static_cast<uint32_t>(value >> 32);
  Write(number, static_cast<uint32_t>(value), now_ns, effects);
  return true;
}

}  // namespace hv::vcpu
