// Late writes on a ring that the tests fill as KVM does.
#include "hv_kernel/kvm/late_writes.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hv::kvm {
namespace {

constexpr uint32_t kCells = LateRingPage::kCells;

// KVM's side: serialises the vCPUs, says when there is no room.
class Kvm {
 public:
  LateRingPage& page() { return page_; }
  bool Write(uint16_t port, uint32_t data) {
    std::lock_guard lock(mutex_);
    const uint32_t first = std::atomic_ref<uint32_t>(page_.first).load(std::memory_order_acquire);
    const uint32_t next = (page_.last + 1) % kCells;
    if (next == first) return false;
    kvm_coalesced_mmio& cell = page_.cells[page_.last];
    cell.phys_addr = port;
    cell.len = sizeof(data);
    cell.pio = 1;
    std::memcpy(cell.data, &data, sizeof(data));
    std::atomic_ref<uint32_t>(page_.last).store(next, std::memory_order_release);
    return true;
  }

 private:
  std::mutex mutex_;
  LateRingPage page_{};
};

class Sink : public LateWriteSink {
 public:
  void Serve(std::span<const Exit> writes, bool anyones) override {
    if (before) before();
    for (const Exit& write : writes) served.push_back(write.data);
    said_anyones.push_back(anyones);
  }
  std::function<void()> before;
  std::vector<uint64_t> served;
  std::vector<bool> said_anyones;
};

class LateWritesTest : public testing::Test {
 protected:
  LateWritesTest() {
    late_.Attach(&kvm_.page());
    late_.SetActive(true);
  }

  Kvm kvm_;
  Sink sink_, other_sink_;
  LateWrites late_;
};

TEST_F(LateWritesTest, WhatAVcpuWroteIsServedAsItLeaves) {
  late_.Enter();
  kvm_.Write(0x3f8, 1);
  kvm_.Write(0x3f8, 2);
  late_.Leave(&sink_);
  EXPECT_EQ(sink_.served, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(late_.served(), 2u);
}

TEST_F(LateWritesTest, AVcpuThatIsInsideAloneHasWrittenAllOfIt) {
  late_.Enter();
  late_.Leave(&other_sink_);  // has been there and is gone
  late_.Enter();
  kvm_.Write(0x3f8, 1);
  late_.Leave(&sink_);
  EXPECT_EQ(sink_.said_anyones, std::vector<bool>{false});
}

TEST_F(LateWritesTest, WhileAnotherIsInsideItMayBeItsWrite) {
  late_.Enter();  // the other
  late_.Enter();
  kvm_.Write(0x3f8, 1);
  late_.Leave(&sink_);
  EXPECT_EQ(sink_.said_anyones, std::vector<bool>{true});
  kvm_.Write(0x3f8, 2);
  late_.Leave(&other_sink_);
  EXPECT_EQ(other_sink_.said_anyones, std::vector<bool>{false});
}

TEST_F(LateWritesTest, AWholeRingIsServedInBatchesInOrder) {
  late_.Enter();
  uint32_t written = 0;
  while (kvm_.Write(0x3f8, written)) ++written;
  EXPECT_EQ(written, kCells - 1);
  late_.Leave(&sink_);
  ASSERT_EQ(sink_.served.size(), written);
  for (uint32_t i = 0; i < written; ++i) EXPECT_EQ(sink_.served[i], i);
}

// Else what it asks for next could overtake what another serves for it.
TEST_F(LateWritesTest, AVcpuLeavesOnlyWhenAnotherHasServedWhatItWrote) {
  std::promise<void> serving, go_on;
  sink_.before = [&] {
    serving.set_value();
    go_on.get_future().wait();
  };
  late_.Enter();
  late_.Enter();
  kvm_.Write(0x3f8, 1);
  std::thread server([&] { late_.Leave(&sink_); });
  serving.get_future().wait();
  std::thread writer([&] {
    late_.Leave(&other_sink_);
    EXPECT_EQ(sink_.served, std::vector<uint64_t>{1});
  });
  go_on.set_value();
  server.join();
  writer.join();
  EXPECT_TRUE(other_sink_.served.empty());
}

TEST_F(LateWritesTest, WhereNothingIsLateTheRingIsNotLookedAt) {
  late_.SetActive(false);
  late_.Enter();
  kvm_.Write(0x3f8, 1);
  late_.Leave(nullptr);
  EXPECT_EQ(late_.served(), 0u);
}

// Every vCPU writes on a port of its own and finds all of it served, in order, whenever it is out.
TEST_F(LateWritesTest, NothingIsLostDoubledOrOvertakenByManyVcpus) {
  constexpr uint32_t kVcpus = 4, kEntries = 2000;
  // Of each port, the last number served.
  struct Served final : LateWriteSink {
    void Serve(std::span<const Exit> writes, bool anyones) override {
      for (const Exit& write : writes) {
        std::atomic<uint64_t>& last = (*all)[write.address];
        EXPECT_EQ(write.data, last.load(std::memory_order_relaxed) + 1);
        last.store(write.data, std::memory_order_relaxed);
        EXPECT_TRUE(anyones || write.address == own);
      }
    }
    std::array<std::atomic<uint64_t>, kVcpus>* all;
    uint64_t own;
  };
  std::array<std::atomic<uint64_t>, kVcpus> all{};
  std::vector<std::thread> vcpus;
  for (uint16_t own = 0; own < kVcpus; ++own) {
    vcpus.emplace_back([&, own] {
      Served sink;
      sink.all = &all;
      sink.own = own;
      uint32_t written = 0;
      for (uint32_t entry = 0; entry < kEntries; ++entry) {
        late_.Enter();
        for (uint32_t i = 0; i < entry % 40 && kvm_.Write(own, written + 1); ++i) ++written;
        late_.Leave(&sink);
        ASSERT_EQ(all[own].load(std::memory_order_relaxed), written);
      }
    });
  }
  for (auto& vcpu : vcpus) vcpu.join();
  EXPECT_GT(late_.served(), 0u);
}

}  // namespace
}  // namespace hv::kvm
