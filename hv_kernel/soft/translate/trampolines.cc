#include "hv_kernel/soft/translate/trampolines.h"

#include <asmjit/x86.h>

#include <cstring>

#include "hv_kernel/soft/translate/host_flags.h"
#include "hv_kernel/soft/translate/host_registers.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

const x86::Gp kCalleeSaved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

void ForEachHeldRegister(auto action) {
  for (uint8_t guest = HV_RAX; guest <= HV_R15; ++guest) {
    if (!InMemory(guest)) action(guest);
  }
}

void EmitEnter(x86::Assembler& a) {
  for (const x86::Gp& reg : kCalleeSaved) a.push(reg);
  a.sub(x86::rsp, 8);
  a.mov(CpuField(offsetof(Cpu, host_rsp)), x86::rsp);
  a.mov(kTemp0, CpuField(offsetof(Cpu, rflags)));
  EmitLoadFlags(a, kTemp0, kTemp1);
  ForEachHeldRegister([&](uint8_t guest) { a.mov(HostRegister(guest), CpuGpr(guest)); });
  a.mov(kTemp0, CpuField(offsetof(Cpu, host_r10)));
  a.jmp(CpuField(offsetof(Cpu, enter_code)));
}

void EmitLeave(x86::Assembler& a) {
  ForEachHeldRegister([&](uint8_t guest) { a.mov(CpuGpr(guest), HostRegister(guest)); });
  a.mov(CpuField(offsetof(Cpu, host_r10)), kTemp0);
  a.mov(CpuField(offsetof(Cpu, leave_site)), kTemp1);
  a.mov(x86::rsp, CpuField(offsetof(Cpu, host_rsp)));
  a.pushfq();
  a.pop(x86::rax);
  a.mov(CpuField(offsetof(Cpu, host_flags)), x86::rax);
  a.add(x86::rsp, 8);
  for (int i = static_cast<int>(std::size(kCalleeSaved)) - 1; i >= 0; --i) a.pop(kCalleeSaved[i]);
  a.ret();
}

}  // namespace

absl::StatusOr<Trampolines> EmitTrampolines(CodeMemory& memory) {
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host(), memory.next());
  x86::Assembler a(&code);
  const asmjit::Label leave = a.newLabel();
  EmitEnter(a);
  a.align(asmjit::AlignMode::kCode, 16);
  a.bind(leave);
  EmitLeave(a);
  if (code.flatten() != asmjit::kErrorOk || code.resolveUnresolvedLinks() != asmjit::kErrorOk) {
    return absl::InternalError("soft engine: trampolines could not be assembled");
  }
  const uint64_t leave_offset = code.labelOffset(leave);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  const uint64_t base = memory.next();
  std::memcpy(memory.Writable(base), buffer.data(), buffer.size());
  memory.Append(buffer.size());
  memory.Keep();
  return Trampolines{.enter = reinterpret_cast<void (*)()>(base), .leave = base + leave_offset};
}

}  // namespace hv::soft
