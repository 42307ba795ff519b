// Guest code of tests, assembled for where it will run.
#pragma once

#include <asmjit/x86.h>

#include <functional>

#include "hv_kernel/soft/test_memory.h"

namespace hv::soft {

using EmitGuestCode = std::function<void(asmjit::x86::Assembler&)>;

// Leaves it at physical address `at`, for the same linear address; returns `at`.
inline uint64_t Assemble(TestMemory& memory, uint64_t at, const EmitGuestCode& emit) {
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host(), at);
  asmjit::x86::Assembler a(&code);
  emit(a);
  code.flatten();
  code.resolveUnresolvedLinks();
  code.relocateToBase(at);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  memory.Load(at, {buffer.data(), buffer.size()});
  return at;
}

}  // namespace hv::soft
