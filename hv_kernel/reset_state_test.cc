#include "hv_kernel/reset_state.h"

#include "gtest/gtest.h"

namespace hv {
namespace {

constexpr uint64_t kCr0CacheBits = 3u << 29;  // CD, NW

TEST(ResetStateTest, ResetStartsInRealModeBelowFourGigabytes) {
  const hv_vcpu_state state = ResetState();
  EXPECT_EQ(state.segment[HV_CS].base + state.rip, 0xfffffff0u);
  EXPECT_EQ(state.segment[HV_CS].selector, 0xf000);
  EXPECT_EQ(state.cr0, 0x60000010u);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.activity, uint32_t{HV_ACTIVITY_RUNNING});
}

TEST(ResetStateTest, InitKeepsWhatOnlyResetClears) {
  hv_vcpu_state state = ResetState();
  state.cr0 = 0x80050033;  // paging, protection, caches on
  state.cr3 = 0x1000;
  state.xcr0 = 7;
  state.pat = 0x123;
  state.xsave[160] = 0x5a;  // XMM0
  ApplyInit(state, /*boot_cpu=*/false);
  EXPECT_EQ(state.cr0, 0x10u) << "CD and NW as they were: clear";
  EXPECT_EQ(state.cr3, 0u);
  EXPECT_EQ(state.xcr0, 7u);
  EXPECT_EQ(state.pat, 0x123u);
  EXPECT_EQ(state.xsave[160], 0x5a);
  EXPECT_EQ(state.activity, uint32_t{HV_ACTIVITY_WAIT_FOR_SIPI});
}

TEST(ResetStateTest, InitLeavesCachesOffThatWereOff) {
  hv_vcpu_state state = ResetState();
  ApplyInit(state, /*boot_cpu=*/true);
  EXPECT_EQ(state.cr0 & kCr0CacheBits, kCr0CacheBits);
  EXPECT_EQ(state.activity, uint32_t{HV_ACTIVITY_RUNNING});
}

TEST(ResetStateTest, SipiStartsAtItsVectorsPage) {
  hv_vcpu_state state = ResetState();
  ApplyInit(state, /*boot_cpu=*/false);
  ApplySipi(state, 0x9a);
  EXPECT_EQ(state.segment[HV_CS].base, 0x9a000u);
  EXPECT_EQ(state.segment[HV_CS].selector, 0x9a00);
  EXPECT_EQ(state.rip, 0u);
  EXPECT_EQ(state.activity, uint32_t{HV_ACTIVITY_RUNNING});
}

}  // namespace
}  // namespace hv
