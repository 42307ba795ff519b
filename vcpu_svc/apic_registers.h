// The registers of a local APIC: their numbers and, as value types, the meaning of their bits
// (Intel SDM vol. 3, table 11-1 and the figures of chapter 11).
#pragma once

#include <cstdint>

#include "abi/message.h"
#include "vcpu_svc/physical_address.h"

namespace hv::vcpu {

inline constexpr uint8_t kFirstLegalVector = 16;

// Offset in the register page / 16; also the distance from MSR 800H.
struct ApicRegister {
  enum Number : uint32_t {
    kId = 0x02,
    kVersion = 0x03,
    kTpr = 0x08,
    kApr = 0x09,
    kPpr = 0x0a,
    kEoi = 0x0b,
    kRemoteRead = 0x0c,
    kLdr = 0x0d,
    kDfr = 0x0e,
    kSvr = 0x0f,
    kIsr = 0x10,  // eight registers each
    kTmr = 0x18,
    kIrr = 0x20,
    kEsr = 0x28,
    kIcrLow = 0x30,
    kIcrHigh = 0x31,
    kLvtTimer = 0x32,  // first of the local vector table
    kLvtError = 0x37,  // last of it
    kInitialCount = 0x38,
    kCurrentCount = 0x39,
    kDivide = 0x3e,
    kSelfIpi = 0x3f,
  };
};

// The local vector table, in the order of the registers from 320H.
enum class Lvt : uint8_t { kTimer, kThermal, kPerformance, kLint0, kLint1, kError };
inline constexpr uint32_t kLvtEntries = 6;

// Version 14H, with EOI-broadcast suppression.
inline constexpr uint32_t kApicVersion = 0x14 | (kLvtEntries - 1) << 16 | 1u << 24;

// IA32_APIC_BASE (figure 11-5).
class ApicBase {
 public:
  static constexpr uint64_t kBootCpu = 1u << 8, kX2apic = 1u << 10, kEnable = 1u << 11;
  static constexpr uint64_t kWritable = kPageAddressMask | kBootCpu | kX2apic | kEnable;

  explicit ApicBase(uint64_t value) : value_(value) {}
  bool enabled() const { return (value_ & kEnable) != 0; }
  bool x2apic() const { return (value_ & kX2apic) != 0; }
  // No reserved bit, and no x2APIC mode of an APIC that is off.
  bool legal() const { return (value_ & ~kWritable) == 0 && (enabled() || !x2apic()); }

 private:
  uint64_t value_;
};

enum class TimerMode : uint8_t { kOneShot, kPeriodic, kTscDeadline, kReserved };

// An entry of the local vector table (figure 11-8).
class LvtEntry {
 public:
  static constexpr uint32_t kMasked = 1u << 16;
  static constexpr uint32_t kExtInt = HV_DELIVERY_EXTINT << 8;

  explicit LvtEntry(uint32_t value) : value_(value) {}
  uint8_t vector() const { return static_cast<uint8_t>(value_); }
  uint8_t delivery_mode() const { return value_ >> 8 & 7; }
  bool masked() const { return (value_ & kMasked) != 0; }
  TimerMode timer_mode() const { return static_cast<TimerMode>(value_ >> 17 & 3); }

  // What software may set, and what it may write without effect (delivery status, remote IRR).
  static constexpr uint32_t Writable(Lvt entry) {
    switch (entry) {
      case Lvt::kTimer: return 0x700ff;
      case Lvt::kThermal:
      case Lvt::kPerformance: return 0x107ff;
      case Lvt::kLint0:
      case Lvt::kLint1: return 0x1a7ff;
      case Lvt::kError: return 0x100ff;
    }
    return 0;
  }
  static constexpr uint32_t kReadOnly = 1u << 12 | 1u << 14;

 private:
  uint32_t value_;
};

// The spurious-interrupt vector register (figure 11-23).
class SpuriousRegister {
 public:
  static constexpr uint32_t kReset = 0xff;
  static constexpr uint32_t kWritable = 0x11ff;

  explicit SpuriousRegister(uint32_t value) : value_(value) {}
  bool apic_enabled() const { return (value_ & 1u << 8) != 0; }
  bool suppresses_eoi_broadcast() const { return (value_ & 1u << 12) != 0; }

 private:
  uint32_t value_;
};

// The error status register (figure 11-9).
struct ApicError {
  static constexpr uint32_t kSendIllegalVector = 1u << 5;
  static constexpr uint32_t kReceiveIllegalVector = 1u << 6;
  static constexpr uint32_t kIllegalRegister = 1u << 7;
  static constexpr uint32_t kAll = kSendIllegalVector | kReceiveIllegalVector | kIllegalRegister;
};

enum class Shorthand : uint8_t { kNone, kSelf, kAll, kAllButSelf };

// The low half of the interrupt command register (figures 11-12 and 11-28).
class CommandRegister {
 public:
  static constexpr uint32_t kWritable = 0xccfff;
  // Reads as idle: a command is sent when it is written.
  static constexpr uint32_t kDeliveryStatus = 1u << 12;

  explicit CommandRegister(uint32_t low) : low_(low) {}
  uint8_t vector() const { return static_cast<uint8_t>(low_); }
  uint8_t delivery_mode() const { return low_ >> 8 & 7; }
  bool logical() const { return (low_ >> 11 & 1) != 0; }
  bool asserts() const { return (low_ >> 14 & 1) != 0; }
  bool level_triggered() const { return (low_ >> 15 & 1) != 0; }
  Shorthand shorthand() const { return static_cast<Shorthand>(low_ >> 18 & 3); }

 private:
  uint32_t low_;
};

// The destination format register (figure 11-14).
struct DestinationFormat {
  static constexpr uint32_t kFlat = 0xffffffff, kCluster = 0x0fffffff;
  static constexpr uint32_t kReadOnlyOnes = 0x0fffffff;
};

// The timer's divide configuration register (figure 11-10).
class DivideConfiguration {
 public:
  static constexpr uint32_t kWritable = 0xb;

  explicit DivideConfiguration(uint32_t value) : value_(value) {}
  // 1 to 128.
  uint32_t divisor() const {
    const uint32_t code = (value_ & 3) | (value_ >> 1 & 4);
    return code == 7 ? 1 : 2u << code;
  }

 private:
  uint32_t value_;
};

}  // namespace hv::vcpu
