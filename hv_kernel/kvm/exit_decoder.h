// What an exit of KVM asks for, read off a kvm_run page (Linux, Documentation/virt/kvm/api.rst, 5).
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <string>

#include "hv_kernel/engine.h"
#include "hv_kernel/kvm/transfer.h"

namespace hv::kvm {

enum class ExitKind : uint8_t {
  kTransfer,       // `transfer`
  kMsrRead,        // of msr.index
  kMsrWrite,       // of msr.index
  kReason,         // the loop's affair: `reason`, without address or data
  kPriority,       // CR8 was lowered; run.cr8 has it
  kDirtyRingFull,  // the vCPU's dirty ring has to be emptied
};

struct DecodedExit {
  ExitKind kind;
  ExitReason reason = ExitReason::kUnsupported;
  Transfer transfer;
};

// Pure. Of an exit it does not know, or whose fields make no sense, it says kUnsupported.
DecodedExit DecodeExit(kvm_run& run);

// The exit in words, for error reports: its name and what its fields say.
std::string DescribeExit(const kvm_run& run);

}  // namespace hv::kvm
