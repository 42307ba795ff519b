// The guest programs of this folder, as bytes to be loaded at 0x100000.
#pragma once

#include <cstdint>
#include <span>

// Those that check themselves and end with HLT.
#define HV_GUEST_PROGRAMS(program)                                                                \
  program(call_gates) program(debugging) program(double_fault) program(exceptions)                \
      program(extended_state) program(fsgsbase) program(interrupts) program(legacy_modes)         \
          program(legacy_paging) program(locked) program(paging) program(pcid) program(privilege) \
              program(protected16) program(self_modifying) program(strings)                       \
                  program(supervisor_protection) program(system_calls) program(time_stamp)        \
                      program(undefined)

namespace hv::guest_code {

#define HV_GUEST_PROGRAM(name)             \
  extern "C" const uint8_t name##_begin[]; \
  extern "C" const uint8_t name##_end[];   \
  inline std::span<const uint8_t> name() { return {name##_begin, name##_end}; }

HV_GUEST_PROGRAMS(HV_GUEST_PROGRAM)
// Ends in shutdown.
HV_GUEST_PROGRAM(triple_fault)

#undef HV_GUEST_PROGRAM

}  // namespace hv::guest_code
