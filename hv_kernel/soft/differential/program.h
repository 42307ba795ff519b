// Random programs with structure: loops, calls, frames on the stack, fields reached by pointers
// that move, strings that end in a fault, code that rewrites itself. They terminate, and what they
// store never meets their own stack.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace hv::soft::differential {

struct Item {
  enum class Kind : uint8_t {
    kArithmetic,
    kLoad,
    kStore,
    kModify,
    kLocked,
    kVector,
    kMovePointer,
    kFlags,
    kString,
    kIndirectJump,
    kRewrite,
    kFault,
    kSweep,
    kCall,
    // With a body:
    kSkip,
    kLoop,
    kFrame,
  };

  Kind kind;
  uint64_t seed;  // decides all else about it
  std::vector<Item> body;
};

struct Program {
  std::vector<std::vector<Item>> functions;  // the first is where it begins; calls go forward
  uint64_t seed;                             // where the pointers begin
};

Program RandomProgram(std::mt19937_64& random);

// Its code, to lie at `address`; ends in INT3. Begins with setting all pointers and RSP.
std::vector<uint8_t> Assemble(const Program& program, uint64_t address);

// Every program that is this one less an item, or with a body in place of the item that has it.
std::vector<Program> Smaller(const Program& program);

}  // namespace hv::soft::differential
