#include "hvd/virtualization/probe_guest.h"

#include <asm/kvm.h>

#include <cstring>

#include "base/check.h"

namespace hv::hvd {
namespace {

constexpr size_t kPml4 = 0x1000, kPageDirectoryPointers = 0x2000, kPageDirectory = 0x3000;
// Page-table entries, Intel SDM vol. 3, 4.5.
constexpr uint64_t kPresent = 1 << 0, kWritable = 1 << 1, kLargePage = 1 << 7;

constexpr uint8_t kLoopBytes[] = {0x48, 0xff, 0xc9,   // dec rcx
                                  0x75, 0xfb,         // jnz to the dec
                                  0xf4};              // hlt
constexpr uint8_t kXsaveBytes[] = {0x0f, 0xae, 0x26,  // xsave [rsi]
                                   0xf4};
constexpr uint8_t kCmpxchg16bBytes[] = {0x48, 0x0f, 0xc7, 0x0e,  // cmpxchg16b [rsi]
                                        0xf4};
constexpr uint8_t kForeverBytes[] = {0xeb, 0xfe};  // jmp to itself

std::span<const uint8_t> BytesOf(ProbeCode code) {
  switch (code) {
    case ProbeCode::kLoop: return kLoopBytes;
    case ProbeCode::kXsave: return kXsaveBytes;
    case ProbeCode::kCmpxchg16b: return kCmpxchg16bBytes;
    case ProbeCode::kForever: return kForeverBytes;
  }
  return kForeverBytes;
}

void Store(std::span<std::byte> memory, size_t at, uint64_t value) {
  std::memcpy(&memory[at], &value, sizeof(value));
}

}  // namespace

void WriteProbeGuest(ProbeCode code, std::span<std::byte> memory) {
  CHECK(memory.size() == kProbeMemoryBytes);
  Store(memory, kPml4, kPageDirectoryPointers | kPresent | kWritable);
  Store(memory, kPageDirectoryPointers, kPageDirectory | kPresent | kWritable);
  Store(memory, kPageDirectory, kPresent | kWritable | kLargePage);
  const std::span<const uint8_t> bytes = BytesOf(code);
  std::memcpy(&memory[kProbeRip], bytes.data(), bytes.size());
}

void EnterLongMode(kvm_sregs& registers, bool xsave) {
  constexpr uint64_t kCr0 = 0x80000033;                 // PG, NE, ET, MP, PE
  constexpr uint64_t kCr4 = 1 << 5 | 1 << 9 | 1 << 10;  // PAE, OSFXSR, OSXMMEXCPT
  constexpr uint64_t kOsxsave = 1 << 18;
  constexpr uint64_t kEfer = 1 << 8 | 1 << 10;  // LME, LMA
  constexpr uint8_t kCode = 11, kData = 3;      // accessed; execute and read, read and write
  registers.cr0 = kCr0;
  registers.cr3 = kPml4;
  registers.cr4 = kCr4 | (xsave ? kOsxsave : 0);
  registers.efer = kEfer;
  registers.cs = {.base = 0,
                  .limit = 0xffffffff,
                  .selector = 8,
                  .type = kCode,
                  .present = 1,
                  .s = 1,
                  .l = 1,
                  .g = 1};
  registers.ds = {.base = 0,
                  .limit = 0xffffffff,
                  .selector = 16,
                  .type = kData,
                  .present = 1,
                  .db = 1,
                  .s = 1,
                  .g = 1};
  registers.es = registers.fs = registers.gs = registers.ss = registers.ds;
}

}  // namespace hv::hvd
