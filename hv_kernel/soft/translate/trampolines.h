// The two ways between C++ and generated code.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/translate/code_memory.h"

namespace hv::soft {

struct Trampolines {
  // Runs generated code at cpu.enter_code until it leaves. The thread's GS base is the Cpu. Guest
  // arithmetic flags go in by cpu.rflags and come out in cpu.host_flags.
  void (*enter)();
  // Where generated code jumps to leave: host R11 is the LeaveSite, host R10 its argument.
  uint64_t leave;
};

absl::StatusOr<Trampolines> EmitTrampolines(CodeMemory& memory);

}  // namespace hv::soft
