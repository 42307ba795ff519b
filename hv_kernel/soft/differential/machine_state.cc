#include "hv_kernel/soft/differential/machine_state.h"

#include <cstdio>
#include <cstring>

namespace hv::soft::differential {
namespace {

constexpr size_t kFopOffset = 6;  // last opcode, instruction and data pointer: 18 bytes
constexpr size_t kPointerBytes = 18;
constexpr size_t kMxcsrOffset = 24;
constexpr size_t kMxcsrMaskOffset = 28;
constexpr size_t kStOffset = 32;
constexpr size_t kXmmOffset = 160;
constexpr size_t kXmmEnd = 416;
constexpr size_t kStBytes = 16;
constexpr uint32_t kStickyFlags = 0x3f;
constexpr uint32_t kBreakpoint = 3;
constexpr uint64_t kArithmeticFlags = 0x8d5;
constexpr uint8_t kX87 = 1, kSse = 2, kAvx = 4;

const char* const kGprNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

class Report {
 public:
  void Number(const char* name, uint64_t native, uint64_t engine) {
    if (native == engine) return;
    char line[128];
    std::snprintf(line, sizeof(line), "  %-10s native %016lx  engine %016lx\n", name, native,
                  engine);
    text_ += line;
  }
  void Bytes(const char* name, const uint8_t* native, const uint8_t* engine, size_t bytes) {
    if (std::memcmp(native, engine, bytes) == 0) return;
    text_ += std::string("  ") + name + "\n    native " + Hex(native, bytes) + "\n    engine " +
             Hex(engine, bytes) + "\n";
  }
  std::string Take() { return std::move(text_); }

 private:
  static std::string Hex(const uint8_t* at, size_t bytes) {
    std::string out;
    char digits[4];
    for (size_t i = 0; i < bytes; ++i) {
      std::snprintf(digits, sizeof(digits), "%02x ", at[i]);
      out += digits;
    }
    return out;
  }
  std::string text_;
};

void CompareVectors(const Xsave& native, const Xsave& engine, Report& report) {
  for (size_t i = 0; i < 8; ++i) {
    const std::string name = "st" + std::to_string(i);
    report.Bytes(name.c_str(), &native[kStOffset + 16 * i], &engine[kStOffset + 16 * i], 10);
  }
  for (size_t i = 0; i < 16; ++i) {
    const std::string low = "xmm" + std::to_string(i);
    const std::string high = "ymm_high" + std::to_string(i);
    report.Bytes(low.c_str(), &native[kXmmOffset + 16 * i], &engine[kXmmOffset + 16 * i], 16);
    report.Bytes(high.c_str(), &native[kYmmHighOffset + 16 * i], &engine[kYmmHighOffset + 16 * i],
                 16);
  }
}

uint32_t Mxcsr(const Xsave& xsave) {
  uint32_t value;
  std::memcpy(&value, &xsave[kMxcsrOffset], sizeof(value));
  return value;
}

unsigned Top(const Xsave& xsave) { return xsave[3] >> 3 & 7; }

// The registers where they were, TOP 0.
void EnterMmx(Xsave& xsave) {
  const Xsave before = xsave;
  const unsigned top = Top(before);
  for (unsigned i = 0; i < 8; ++i) {
    std::memcpy(&xsave[kStOffset + kStBytes * ((i + top) % 8)], &before[kStOffset + kStBytes * i],
                kStBytes);
  }
  xsave[3] &= static_cast<uint8_t>(~0x38);
}

// Before it raises a fault an Intel CPU may have done some of what the instruction does: an MMX one
// has set TOP to 0, a conversion has set sticky flags. The engine looks at the operand's page and
// segment first. As the instruction is started again, nobody can tell.
Xsave AsOnAnIntelCpu(const Ending& native, const Ending& engine) {
  Xsave xsave = engine.state.xsave;
  if (native.vector == kBreakpoint) return xsave;
  const Xsave& host = native.state.xsave;
  const uint32_t change = Mxcsr(host) & ~Mxcsr(xsave) & kStickyFlags;
  xsave[kMxcsrOffset] |= static_cast<uint8_t>(change);
  if (Top(host) == 0) EnterMmx(xsave);
  return xsave;
}

}  // namespace

void Normalise(Xsave& xsave) {
  const uint8_t present = xsave[kXsaveHeaderOffset];
  if ((present & kX87) == 0) {
    std::memset(&xsave[0], 0, kMxcsrOffset);
    std::memset(&xsave[kStOffset], 0, kXmmOffset - kStOffset);
    xsave[0] = 0x7f;
    xsave[1] = 0x03;
  }
  if ((present & kSse) == 0) std::memset(&xsave[kXmmOffset], 0, kXmmEnd - kXmmOffset);
  if ((present & kAvx) == 0) std::memset(&xsave[kYmmHighOffset], 0, 256);
  std::memset(&xsave[kFopOffset], 0, kPointerBytes);
  std::memset(&xsave[kMxcsrMaskOffset], 0, 4);
  std::memset(&xsave[kXmmEnd], 0, kYmmHighOffset - kXmmEnd);
}

std::string Compare(const Ending& native, const Ending& engine) {
  Report report;
  report.Number("vector", native.vector, engine.vector);
  report.Number("error", native.error_code, engine.error_code);
  report.Number("cr2", native.fault_address, engine.fault_address);
  report.Number("rip", native.state.rip, engine.state.rip);
  // At a fault the engine does not know flags that the instruction, or one after it in its block,
  // was about to overwrite; when the instruction is started again nobody can have missed them.
  const uint64_t flags = native.vector == kBreakpoint ? ~uint64_t{0} : ~kArithmeticFlags;
  report.Number("rflags", native.state.rflags & flags, engine.state.rflags & flags);
  for (size_t i = 0; i < 16; ++i) {
    report.Number(kGprNames[i], native.state.gpr[i], engine.state.gpr[i]);
  }
  const Xsave xsave = AsOnAnIntelCpu(native, engine);
  report.Bytes("fcw fsw ftw", &native.state.xsave[0], &xsave[0], 5);
  report.Bytes("mxcsr", &native.state.xsave[kMxcsrOffset], &xsave[kMxcsrOffset], 4);
  CompareVectors(native.state.xsave, xsave, report);
  if (native.memory != engine.memory) {
    size_t at = 0;
    while (native.memory[at] == engine.memory[at]) ++at;
    at &= ~size_t{15};
    const std::string name = "memory from data + " + std::to_string(at);
    report.Bytes(name.c_str(), &native.memory[at], &engine.memory[at], 32);
  }
  return report.Take();
}

}  // namespace hv::soft::differential
