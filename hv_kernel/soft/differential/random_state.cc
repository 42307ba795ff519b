#include "hv_kernel/soft/differential/random_state.h"

#include <cstring>

#include "abi/vcpu_state.h"

namespace hv::soft::differential {
namespace {

constexpr uint64_t kInteger[] = {0,
                                 1,
                                 2,
                                 0x7f,
                                 0x80,
                                 0xff,
                                 0x7fff,
                                 0x8000,
                                 0xffff,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x100000000,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xffffffffffffffff};
constexpr uint64_t kDouble[] = {0x0000000000000000, 0x8000000000000000, 0x3ff0000000000000,
                                0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
                                0x7ff8000000000000, 0x7ff0000000000001, 0x0000000000000001,
                                0x000fffffffffffff, 0x7fefffffffffffff, 0x43e0000000000000,
                                0x400921fb54442d18, 0xc01c000000000000};
constexpr uint32_t kSingle[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000,
                                0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
                                0x00000001, 0x7f7fffff, 0x4f000000, 0x40490fdb};

constexpr uint64_t kAlwaysFlags = 0x202;  // the reserved one, and IF
constexpr uint64_t kArithmeticFlags = 0x8d5;
constexpr uint16_t kX87AllMasked = 0x037f;
constexpr uint32_t kMxcsrAllMasked = 0x1f80;
constexpr uint32_t kIndexBytes = 256;

template <typename T, size_t N>
T Pick(std::mt19937_64& random, const T (&values)[N]) {
  return values[random() % N];
}

uint64_t RandomInteger(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0: return Pick(random, kInteger);
    case 1: return random() % 64;
    case 2: return static_cast<uint64_t>(static_cast<int64_t>(random()) >> (random() % 64));
    default: return random();
  }
}

uint64_t RandomLane(std::mt19937_64& random) {
  switch (random() % 5) {
    case 0: return Pick(random, kDouble);
    case 1: return Pick(random, kSingle) | uint64_t{Pick(random, kSingle)} << 32;
    case 2: return RandomInteger(random);
    case 3: {
      // A number of moderate size, with the sign at random.
      double value = static_cast<double>(static_cast<int64_t>(random()) >> (random() % 60));
      uint64_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      return bits;
    }
    default: return random();
  }
}

void FillX87(std::mt19937_64& random, uint8_t* legacy) {
  uint16_t control = kX87AllMasked;
  if (random() % 4 == 0) control = static_cast<uint16_t>(control ^ (random() % 16) << 8);
  if (random() % 10 == 0) control = static_cast<uint16_t>(control & ~(random() % 64));
  std::memcpy(legacy, &control, sizeof(control));
  // TOP and the condition codes; no exception is pending.
  const auto status = static_cast<uint16_t>(random() & 0x7f00);
  std::memcpy(legacy + 2, &status, sizeof(status));
  legacy[4] = static_cast<uint8_t>(random() % 4 == 0 ? random() : 0xff);
  for (int i = 0; i < 8; ++i) {
    long double value;
    const uint64_t lane = RandomLane(random);
    double narrow;
    std::memcpy(&narrow, &lane, sizeof(narrow));
    value = narrow;
    std::memcpy(legacy + 32 + 16 * i, &value, 10);
  }
}

}  // namespace

MachineState RandomState(std::mt19937_64& random, uint64_t rip, CodeWidth width) {
  MachineState state;
  state.width = width;
  for (uint64_t& value : state.gpr) value = RandomInteger(random);
  if (width == CodeWidth::k32) {  // what 32-bit code cannot see had better be nothing
    for (int i = 0; i < 16; ++i) state.gpr[i] = i < 8 ? state.gpr[i] & 0xffffffff : 0;
  }
  state.gpr[HV_RSP] = kDataFirst + kDataBytes / 2 + random() % 64 * 8;
  state.rip = rip;
  state.rflags = kAlwaysFlags | (random() & kArithmeticFlags);
  FillX87(random, state.xsave.data());
  uint32_t mxcsr = kMxcsrAllMasked;
  if (random() % 4 == 0) mxcsr ^= static_cast<uint32_t>(random() & 0xe040);  // FTZ, RC, DAZ
  if (random() % 10 == 0) mxcsr &= static_cast<uint32_t>(~(random() & 0x1f80));
  std::memcpy(&state.xsave[24], &mxcsr, sizeof(mxcsr));
  for (size_t at = 160; at < 416; at += 8) {
    const uint64_t lane = RandomLane(random);
    std::memcpy(&state.xsave[at], &lane, sizeof(lane));
  }
  for (size_t at = kYmmHighOffset; at < kXsaveBytes; at += 8) {
    const uint64_t lane = RandomLane(random);
    std::memcpy(&state.xsave[at], &lane, sizeof(lane));
  }
  state.xsave[kXsaveHeaderOffset] = 7;
  return state;
}

std::vector<uint8_t> RandomMemory(std::mt19937_64& random) {
  std::vector<uint8_t> memory(kArenaBytes);
  for (size_t at = 0; at < memory.size(); at += 8) {
    const uint64_t lane = at < kIndexBytes ? random() % 256 : RandomLane(random);
    std::memcpy(&memory[at], &lane, sizeof(lane));
  }
  return memory;
}

}  // namespace hv::soft::differential
