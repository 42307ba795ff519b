#include "hv_kernel/soft/system/breakpoints.h"

namespace hv::soft {
namespace {

constexpr int kBreakpoints = 4;

// The fields of DR7 that belong to one breakpoint (SDM vol. 3, 17.2.4).
class Control {
 public:
  Control(const Cpu& cpu, int number)
      : enabled_((cpu.dr[7] >> (2 * number) & 3) != 0),
        bits_(cpu.dr[7] >> (16 + 4 * number) & 15) {}

  bool on_execution() const { return enabled_ && (bits_ & 3) == 0; }
  bool on_write() const { return enabled_ && (bits_ & 1) != 0; }
  bool on_read() const { return enabled_ && (bits_ & 3) == 3; }
  bool on_port() const { return enabled_ && (bits_ & 3) == 2; }
  uint64_t bytes() const {
    constexpr uint64_t kLengths[] = {1, 2, 8, 4};
    return kLengths[bits_ >> 2];
  }

 private:
  bool enabled_;
  uint64_t bits_;
};

// Whether two ranges meet; the breakpoint's is aligned to its length (SDM vol. 3, 17.2.5).
bool Meets(uint64_t breakpoint, uint64_t length, uint64_t address, uint64_t bytes) {
  const uint64_t first = breakpoint & ~(length - 1);
  return address < first + length && first < address + bytes;
}

}  // namespace

bool AnyInstructionBreakpoint(const Cpu& cpu) {
  if (!AnyBreakpoint(cpu)) return false;
  for (int i = 0; i < kBreakpoints; ++i) {
    if (Control(cpu, i).on_execution()) return true;
  }
  return false;
}

uint64_t InstructionBreakpointsAt(const Cpu& cpu, uint64_t linear) {
  uint64_t hit = 0;
  for (int i = 0; i < kBreakpoints; ++i) {
    if (Control(cpu, i).on_execution() && cpu.dr[i] == linear) hit |= uint64_t{1} << i;
  }
  return hit;
}

WatchedAccesses WatchedInPage(const Cpu& cpu, uint64_t linear) {
  WatchedAccesses watched;
  if (!AnyBreakpoint(cpu)) return watched;
  for (int i = 0; i < kBreakpoints; ++i) {
    if (((cpu.dr[i] ^ linear) & kPageMask) != 0) continue;
    const Control control(cpu, i);
    watched.reads |= control.on_read();
    watched.writes |= control.on_write();
  }
  return watched;
}

void NoteDataAccess(Cpu& cpu, uint64_t linear, uint32_t bytes, bool write) {
  if (!AnyBreakpoint(cpu)) return;
  for (int i = 0; i < kBreakpoints; ++i) {
    const Control control(cpu, i);
    if (!(write ? control.on_write() : control.on_read())) continue;
    if (Meets(cpu.dr[i], control.bytes(), linear, bytes)) cpu.breakpoint_hits |= uint64_t{1} << i;
  }
}

void NotePortAccess(Cpu& cpu, uint16_t port, uint32_t bytes) {
  if (!AnyBreakpoint(cpu) || (cpu.cr4 & kCr4De) == 0) return;
  for (int i = 0; i < kBreakpoints; ++i) {
    const Control control(cpu, i);
    if (!control.on_port() || !Meets(cpu.dr[i], control.bytes(), port, bytes)) continue;
    cpu.breakpoint_hits |= uint64_t{1} << i;
  }
}

}  // namespace hv::soft
