// Whether firmware has turned the CPU's virtualization off, and from what that is known.
#pragma once

#include <string>

#include "hvd/virtualization/virtualization_facts.h"

namespace hv::hvd {

enum class FirmwareSwitch {
  kNone,  // the CPU has no virtualization to turn off
  kOn,    // or left for the kernel to turn on
  kOff,
  kUnknown,
};

struct FirmwareFinding {
  FirmwareSwitch state = FirmwareSwitch::kUnknown;
  std::string from;  // what says so; of kUnknown: what could not be looked at
};

// In this order: the CPU's own register, where it may be read; Linux, which hides the flag of what
// firmware has turned off (VMX since 5.6, SVM since 6.7); what Linux has logged; that a module of
// KVM for this CPU is there and has its device.
FirmwareFinding LookAtFirmwareSwitch(const VirtualizationFacts& facts);

}  // namespace hv::hvd
