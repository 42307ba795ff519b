#include "hv_kernel/state_check.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv {
namespace {

constexpr uint64_t kCr0Pe = 1u << 0, kCr0Pg = 1u << 31;
constexpr uint64_t kCr4Pae = 1u << 5;
constexpr uint64_t kEferLme = 1u << 8, kEferLma = 1u << 10;
constexpr uint64_t kSupportedXstate = 7;  // x87, SSE, AVX
constexpr uint32_t kMxcsrAt = 24;
constexpr uint32_t kMxcsrValid = 0xffff;

}  // namespace

absl::Status CheckState(const hv_vcpu_state& state) {
  const auto refuse = [](const char* what, uint64_t value) {
    return absl::InvalidArgumentError(
        absl::StrCat("vCPU state: ", what, " = 0x", absl::Hex(value), " is not possible"));
  };
  if ((state.cr0 & kCr0Pg) != 0 && (state.cr0 & kCr0Pe) == 0) return refuse("CR0", state.cr0);
  const bool lma = (state.efer & kEferLma) != 0;
  if (lma && ((state.cr4 & kCr4Pae) == 0 || (state.cr0 & kCr0Pg) == 0)) {
    return refuse("EFER", state.efer);
  }
  if (lma != ((state.efer & kEferLme) != 0 && (state.cr0 & kCr0Pg) != 0)) {
    return refuse("EFER", state.efer);
  }
  if ((state.xcr0 & ~kSupportedXstate) != 0 || (state.xcr0 & 1) == 0) {
    return refuse("XCR0", state.xcr0);
  }
  uint32_t mxcsr;
  std::memcpy(&mxcsr, state.xsave + kMxcsrAt, sizeof(mxcsr));
  if ((mxcsr & ~kMxcsrValid) != 0) return refuse("MXCSR", mxcsr);
  return absl::OkStatus();
}

}  // namespace hv
