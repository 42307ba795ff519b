// The guest's arithmetic flags into the host's.
#pragma once

#include <asmjit/x86.h>

namespace hv::soft {

// Those of `rflags`. POPF would cost more than entering generated code does otherwise: OF is set by
// an addition that overflows if it was there, and SAHF, which does not touch it, sets the others.
// Overwrites RAX and `temp`.
inline void EmitLoadFlags(asmjit::x86::Assembler& a, const asmjit::x86::Gp& rflags,
                          const asmjit::x86::Gp& temp) {
  namespace x86 = asmjit::x86;
  constexpr uint32_t kOverflowBit = 11;
  a.mov(temp.r32(), rflags.r32());
  a.shr(temp.r32(), kOverflowBit);
  a.and_(temp.r32(), 1);
  a.mov(x86::eax, rflags.r32());
  a.shl(x86::eax, 8);  // the low byte to AH
  a.or_(x86::eax, temp.r32());
  a.add(x86::al, 0x7f);
  a.sahf();
}

}  // namespace hv::soft
