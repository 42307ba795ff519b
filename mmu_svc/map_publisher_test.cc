// The published table as its reader, hv_kernel's rules for a copy included, sees it at any moment.
#include "mmu_svc/map_publisher.h"

#include <cstring>
#include <functional>
#include <memory>
#include <optional>

#include "gtest/gtest.h"

namespace hv::mmu {
namespace {

struct Crash {};

// Calls `after_each` after each store; crashes after the last one that is left.
struct WatchedStores {
  std::function<void()> after_each = [] {};
  int left = -1;  // stores until the crash; -1: never
  void After() {
    after_each();
    if (left > 0 && --left == 0) throw Crash{};
  }
};

GuestMap MapOf(uint32_t routes, uint32_t slots, uint64_t base) {
  GuestMap map{};
  map.route_count = routes;
  map.slot_count = slots;
  for (uint32_t i = 0; i < routes; ++i) {
    map.routes[i] = {base + 2 * i, base + 2 * i, i, HV_SPACE_MMIO, 0, 0};
  }
  for (uint32_t i = 0; i < slots; ++i) {
    map.slots[i] = {(base + i) * kPageBytes, kPageBytes, i * kPageBytes, 0, 0};
  }
  return map;
}

bool Shows(const hv_route_table& table, const GuestMap& map) {
  return table.route_count == map.route_count && table.slot_count == map.slot_count &&
         std::memcmp(table.routes, map.routes, map.route_count * sizeof(hv_route)) == 0 &&
         std::memcmp(table.slots, map.slots, map.slot_count * sizeof(hv_memory_slot)) == 0;
}

class MapPublisherTest : public testing::Test {
 protected:
  MapPublisherTest() : table_(std::make_unique<hv_route_table>()) {}

  void Publish(const GuestMap& map, uint32_t generation, WatchedStores stores = {}) {
    PublishMap(map, generation, *table_, stores);
  }

  const GuestMap old_ = MapOf(5, 3, 100);
  const GuestMap new_ = MapOf(3, 4, 900);
  std::unique_ptr<hv_route_table> table_;
};

TEST_F(MapPublisherTest, WhatIsPublishedIsTheMap) {
  Publish(old_, 2);
  EXPECT_EQ(table_->generation, 2u);
  EXPECT_TRUE(Shows(*table_, old_));
}

TEST_F(MapPublisherTest, AnEvenGenerationAlwaysShowsItsWholeMap) {
  Publish(old_, 2);
  int moments = 0;
  Publish(new_, 4, {.after_each = [&] {
            ++moments;
            EXPECT_TRUE(table_->generation != 2 || Shows(*table_, old_)) << moments;
            EXPECT_TRUE(table_->generation != 4 || Shows(*table_, new_)) << moments;
          }});
  EXPECT_GT(moments, 20);
  EXPECT_EQ(table_->generation, 4u);
}

TEST_F(MapPublisherTest, TheSameGenerationIsNotWrittenAgain) {
  Publish(old_, 2);
  int stores = 0;
  Publish(old_, 2, {.after_each = [&] { ++stores; }});
  EXPECT_EQ(stores, 0);
}

TEST_F(MapPublisherTest, DeathAfterAnyStoreIsMadeGoodByTheSuccessor) {
  for (int crash_after = 1;; ++crash_after) {
    *table_ = {};
    Publish(old_, 2);
    bool crashed = false;
    try {
      Publish(new_, 4, {.left = crash_after});
    } catch (const Crash&) {
      crashed = true;
    }
    if (table_->generation % 2 == 0) {
      EXPECT_TRUE(Shows(*table_, new_)) << crash_after;
    }
    Publish(new_, 4);
    EXPECT_EQ(table_->generation, 4u);
    EXPECT_TRUE(Shows(*table_, new_)) << crash_after;
    if (!crashed) break;
  }
}

}  // namespace
}  // namespace hv::mmu
