#include "vcpu_svc/paravirtual_clock.h"

#include <gtest/gtest.h>

#include <cstring>

namespace hv::vcpu {
namespace {

constexpr int64_t kBase = 1'700'000'000'123'456'789;

template <typename T>
T At(const hv_store& store, size_t offset) {
  T value;
  std::memcpy(&value, store.bytes + offset, sizeof(value));
  return value;
}

// As a guest computes it (Linux, arch/x86/include/asm/pvclock.h: shift, then the product's high
// part).
uint64_t GuestNs(const TscScale& scale, uint64_t ticks) {
  const uint64_t shifted = scale.shift < 0 ? ticks >> -scale.shift : ticks << scale.shift;
  return static_cast<uint64_t>((static_cast<unsigned __int128>(shifted) * scale.multiplier) >> 32);
}

TEST(TscScaleTest, SecondsOfEveryRateAreSeconds) {
  for (const uint64_t hz : {100'000'000ull, 999'999'999ull, 1'000'000'000ull, 1'000'000'001ull,
                            2'000'000'000ull, 2'000'000'001ull, 4'000'000'001ull, 2'445'402'000ull,
                            3'900'000'000ull, 5'700'000'000ull, 20'000'000'000ull}) {
    const TscScale scale = ScaleOf(hz);
    EXPECT_GE(scale.multiplier, 1u << 31) << hz;
    // An hour, to a nanosecond in a second.
    const uint64_t ns = GuestNs(scale, 3600 * hz);
    EXPECT_NEAR(static_cast<double>(ns), 3600e9, 3600.0) << hz;
  }
}

TEST(ParavirtualClockTest, SystemTimeIsStoredWhereTheGuestAsks) {
  const ParavirtualClock clock(2'000'000'000, kBase);
  const auto store = clock.StoreFor(kSystemTimeMsr, 0x12345040 | 1);
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ(store->address, 0x12345040u);
  EXPECT_EQ(store->length, 32u);
  EXPECT_EQ(At<uint32_t>(*store, 0) & 1, 0u);  // complete
  EXPECT_EQ(At<uint64_t>(*store, 8), 0u);
  EXPECT_EQ(At<uint64_t>(*store, 16), 0u);
  EXPECT_EQ(At<uint32_t>(*store, 24), 1u << 31);  // half a nanosecond a tick
  EXPECT_EQ(At<int8_t>(*store, 28), 0);
  EXPECT_EQ(At<uint8_t>(*store, 29), 1);  // stable
}

TEST(ParavirtualClockTest, SwitchingOffStoresNothing) {
  EXPECT_FALSE(ParavirtualClock(1'000'000'000, 0).StoreFor(kSystemTimeMsr, 0x1000).has_value());
}

TEST(ParavirtualClockTest, WallClockIsTheTimeAtMachineTimeZero) {
  const auto store = ParavirtualClock(1'000'000'000, kBase).StoreFor(kWallClockMsr, 0x2000);
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ(store->address, 0x2000u);
  EXPECT_EQ(store->length, 12u);
  EXPECT_EQ(At<uint32_t>(*store, 4), 1'700'000'000u);
  EXPECT_EQ(At<uint32_t>(*store, 8), 123'456'789u);
}

TEST(ParavirtualClockTest, AHostBefore1970Says1970) {
  const auto store = ParavirtualClock(1'000'000'000, -5).StoreFor(kWallClockMsr, 0x2000);
  EXPECT_EQ(At<uint32_t>(*store, 4), 0u);
}

}  // namespace
}  // namespace hv::vcpu
