// What a run begins with, what it ends with, and how two endings are compared.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hv_kernel/soft/differential/arena.h"
#include "hv_kernel/soft/differential/form.h"

namespace hv::soft::differential {

// The part of the XSAVE area in use: legacy region, header, upper halves of YMM (SDM vol. 1, 13.4).
inline constexpr size_t kXsaveHeaderOffset = 512;
inline constexpr size_t kYmmHighOffset = 576;
inline constexpr size_t kXsaveBytes = kYmmHighOffset + 256;
using Xsave = std::array<uint8_t, kXsaveBytes>;

struct MachineState {
  CodeWidth width = CodeWidth::k64;
  uint64_t gpr[16] = {};  // enum hv_gpr
  uint64_t rip = 0;
  uint64_t rflags = 0;
  Xsave xsave = {};
};

// Every run ends in an exception, the INT3 after its last instruction if nothing else.
struct Ending {
  MachineState state;
  uint32_t vector = 0;
  uint64_t error_code = 0;
  uint64_t fault_address = 0;   // of page faults
  std::vector<uint8_t> memory;  // the arena
};

// Components that XSTATE_BV leaves out are written as their initial values; what no program can
// rely on (instruction and data pointers of x87) is cleared.
void Normalise(Xsave& xsave);

// FSW.ES: an unmasked exception waits for the next x87 instruction.
inline bool HasPendingX87Exception(const Xsave& xsave) { return (xsave[2] & 0x80) != 0; }

// The differences, a line each; empty when there are none.
std::string Compare(const Ending& native, const Ending& engine);

}  // namespace hv::soft::differential
