#include "hvd/plan/segment_set.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "abi/endpoint.h"
#include "abi/pager_page.h"
#include "abi/state.h"
#include "abi/version_check.h"
#include "abi/wake.h"
#include "ring/channel.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kMemory = 16 << 20;
constexpr uint32_t kKernel = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);

class SegmentSetTest : public testing::Test {
 protected:
  Topology topology_ = PlanTopology(2);
  SegmentSet set_ = SegmentSet::Make(topology_, kMemory).value();

  std::vector<uint32_t> Processes() const {
    std::vector<uint32_t> all = topology_.services;
    all.push_back(kKernel);
    all.push_back(kHost);
    return all;
  }
  bool Maps(uint32_t process, hv_segment kind) const {
    const auto uses = set_.UsesOf(process);
    return std::any_of(uses.begin(), uses.end(),
                       [&](const auto& use) { return use.segment->kind == kind; });
  }
};

// As another hvd gets them.
std::vector<OwnedSegment> Copies(const SegmentSet& set) {
  const auto copy = [](const UniqueFd& fd) {
    return UniqueFd(fd.valid() ? fcntl(fd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  };
  std::vector<OwnedSegment> all;
  for (const OwnedSegment& segment : set.all()) {
    all.push_back({segment.kind, segment.endpoint, segment.peer, segment.bytes, copy(segment.fd),
                   copy(segment.read_only)});
  }
  return all;
}

TEST_F(SegmentSetTest, EverySegmentButRamStartsWithItsHeader) {
  for (uint32_t process : Processes()) {
    for (const SegmentUse& use : set_.UsesOf(process)) {
      if (use.segment->kind == HV_SEGMENT_GUEST_RAM) continue;
      const auto mapping = ring::Mapping::Map(use.segment->fd.get(), use.segment->bytes, false);
      ASSERT_TRUE(mapping.ok()) << mapping.status();
      const auto status = CheckSegmentHeader(*mapping->As<hv_segment_header>(), use.segment->kind);
      EXPECT_TRUE(status.ok()) << status;
    }
  }
}

TEST_F(SegmentSetTest, ChannelGoesToItsTwoSidesAlone) {
  std::map<const OwnedSegment*, std::set<uint32_t>> mapped_by;
  for (uint32_t process : Processes()) {
    for (const SegmentUse& use : set_.UsesOf(process)) {
      if (use.segment->kind != HV_SEGMENT_CHANNEL) continue;
      mapped_by[use.segment].insert(process);
      EXPECT_EQ(ProcessOf(use.endpoint), process);
    }
  }
  EXPECT_EQ(mapped_by.size(), topology_.channels.size());
  for (const auto& [segment, processes] : mapped_by) {
    EXPECT_EQ(processes, (std::set<uint32_t>{ProcessOf(segment->endpoint), segment->peer}));
  }
}

TEST_F(SegmentSetTest, ChannelsOpenFromBothSides) {
  for (uint32_t process : Processes()) {
    for (const SegmentUse& use : set_.UsesOf(process)) {
      if (use.segment->kind != HV_SEGMENT_CHANNEL) continue;
      const auto mapping = ring::Mapping::Map(use.segment->fd.get(), use.segment->bytes, true);
      const auto view = ring::OpenChannel(mapping->bytes(), use.endpoint, use.peer);
      EXPECT_TRUE(view.ok()) << view.status();
    }
  }
}

uint32_t SpinSlots(uint32_t cpus) {
  const auto set = SegmentSet::Make(PlanTopology(cpus), kMemory);
  for (const OwnedSegment& segment : set->all()) {
    if (segment.kind != HV_SEGMENT_SPIN_BUDGET) continue;
    return ring::Mapping::Map(segment.fd.get(), segment.bytes, true)->As<hv_spin_budget>()->slots;
  }
  return UINT32_MAX;
}

// A core for each vCPU comes first.
TEST_F(SegmentSetTest, ServicesSpinOnCoresThatNoVcpuNeeds) {
  const uint32_t cores = std::thread::hardware_concurrency();
  EXPECT_EQ(SpinSlots(1), std::min<uint32_t>(cores - 1, HV_SPIN_SLOTS));
  if (cores <= HV_MAX_VCPUS) {
    EXPECT_EQ(SpinSlots(cores), 0u);
  }
}

TEST_F(SegmentSetTest, GuestRamIsForKernelAndMmuAlone) {
  for (uint32_t process : Processes()) {
    const uint32_t role = HV_ENDPOINT_ROLE(process);
    EXPECT_EQ(Maps(process, HV_SEGMENT_GUEST_RAM), role == HV_ROLE_KERNEL || role == HV_ROLE_MMU)
        << role;
  }
}

TEST_F(SegmentSetTest, WhatThePagerDoesIsForMmuSvcAlone) {
  for (uint32_t process : Processes()) {
    EXPECT_EQ(Maps(process, HV_SEGMENT_PAGER_PAGE), HV_ENDPOINT_ROLE(process) == HV_ROLE_MMU);
    EXPECT_EQ(Maps(process, HV_SEGMENT_WRITTEN_PAGES), HV_ENDPOINT_ROLE(process) == HV_ROLE_MMU);
  }
  set_.pager_page().faults = 7;
  const auto restored = SegmentSet::Restore(topology_, kMemory, Copies(set_));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->pager_page().faults, 7u);
}

TEST_F(SegmentSetTest, StateIsForItsServiceAlone) {
  for (uint32_t process : Processes()) {
    for (const SegmentUse& use : set_.UsesOf(process)) {
      if (use.segment->kind != HV_SEGMENT_STATE) continue;
      EXPECT_EQ(use.segment->endpoint, process);
    }
  }
  EXPECT_TRUE(Maps(kTimer, HV_SEGMENT_STATE));
  EXPECT_FALSE(Maps(kKernel, HV_SEGMENT_STATE));
}

TEST_F(SegmentSetTest, TablesAreWrittenByTheirOwnerAlone) {
  const std::map<hv_segment, uint32_t> writer = {{HV_SEGMENT_ROUTE_TABLE, HV_ROLE_MMU},
                                                 {HV_SEGMENT_CPUID_TABLE, HV_ROLE_VCPU}};
  for (uint32_t process : Processes()) {
    for (const SegmentUse& use : set_.UsesOf(process)) {
      const auto found = writer.find(use.segment->kind);
      if (found == writer.end()) continue;
      EXPECT_EQ(use.writable, HV_ENDPOINT_ROLE(process) == found->second);
    }
  }
  EXPECT_TRUE(Maps(kKernel, HV_SEGMENT_ROUTE_TABLE));
  EXPECT_TRUE(Maps(kKernel, HV_SEGMENT_CPUID_TABLE));
}

TEST_F(SegmentSetTest, ReadOnlyDescriptorCannotBeMappedForWriting) {
  const OwnedSegment* table = set_.Find(HV_SEGMENT_ROUTE_TABLE, 0);
  ASSERT_NE(table, nullptr);
  EXPECT_TRUE(ring::Mapping::Map(table->read_only.get(), table->bytes, false).ok());
  EXPECT_EQ(
      mmap(nullptr, table->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table->read_only.get(), 0),
      MAP_FAILED);
}

TEST_F(SegmentSetTest, AProcessCanWakeItselfAndItsPeersAlone) {
  for (uint32_t process : Processes()) {
    std::set<uint32_t> expected;
    std::set<uint32_t> mapped;
    for (const SegmentUse& use : set_.UsesOf(process)) {
      if (use.segment->kind == HV_SEGMENT_WAKE) mapped.insert(use.segment->endpoint);
      if (use.segment->kind != HV_SEGMENT_CHANNEL) continue;
      expected.insert(use.endpoint);
      expected.insert(use.peer);
    }
    EXPECT_EQ(mapped, expected);
  }
}

TEST_F(SegmentSetTest, NothingCanChangeItsSize) {
  for (uint32_t process : Processes()) {
    for (const SegmentUse& use : set_.UsesOf(process)) {
      const int seals = fcntl(use.segment->fd.get(), F_GET_SEALS);
      EXPECT_EQ(seals & (F_SEAL_SHRINK | F_SEAL_GROW), F_SEAL_SHRINK | F_SEAL_GROW);
    }
  }
}

TEST_F(SegmentSetTest, RamIsAllocatedPageByPageOnFirstTouch) {
  const OwnedSegment& ram = set_.guest_ram();
  const auto allocated_pages = [&] {
    struct stat info;
    EXPECT_EQ(fstat(ram.fd.get(), &info), 0);
    return info.st_blocks * 512 / 4096;
  };
  const auto mapping = ring::Mapping::Map(ram.fd.get(), ram.bytes, true).value();
  EXPECT_EQ(allocated_pages(), 0);
  for (const size_t page : {0, 7, 8, 4095}) mapping.bytes()[page * 4096] = std::byte{1};
  EXPECT_EQ(allocated_pages(), 4);
  mapping.bytes()[7 * 4096 + 100] = std::byte{1};
  EXPECT_EQ(allocated_pages(), 4);
}

TEST_F(SegmentSetTest, StateHeaderIsAtTheFirstEpoch) {
  const hv_state_header* header = set_.state_header(kIoapic);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->epoch, 1u);
  EXPECT_EQ(header->role, uint32_t{HV_ROLE_IOAPIC});
  EXPECT_EQ(set_.state_header(kKernel), nullptr);
}

TEST_F(SegmentSetTest, AnotherHvdGoesOnWithTheSameSegments) {
  set_.state_header(kIoapic)->epoch = 7;
  const auto restored = SegmentSet::Restore(topology_, kMemory, Copies(set_));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->state_header(kIoapic)->epoch, 7u);
  EXPECT_NE(restored->wake(kIoapic), nullptr);
  for (uint32_t process : Processes()) {
    EXPECT_EQ(restored->UsesOf(process).size(), set_.UsesOf(process).size());
  }
}

TEST_F(SegmentSetTest, SegmentsOfAnotherMachineOrReleaseAreRefused) {
  const auto refusal = [&](std::vector<OwnedSegment> segments) {
    return SegmentSet::Restore(topology_, kMemory, std::move(segments)).status().code();
  };
  auto one_less = Copies(set_);
  one_less.pop_back();
  EXPECT_EQ(refusal(std::move(one_less)), absl::StatusCode::kInvalidArgument);
  auto swapped = Copies(set_);
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  EXPECT_EQ(refusal(std::move(swapped)), absl::StatusCode::kInvalidArgument);
  auto another_file = Copies(set_);
  another_file.back().fd.Reset(memfd_create("small", MFD_CLOEXEC));
  EXPECT_EQ(refusal(std::move(another_file)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SegmentSet::Restore(topology_, 2 * kMemory, Copies(set_)).status().code(),
            absl::StatusCode::kInvalidArgument);
  set_.state_header(kIoapic)->header.major = HV_ABI_MAJOR + 1;
  EXPECT_EQ(refusal(Copies(set_)), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SegmentSetTest, DescriptorsGoWithTheSet) {
  const auto open_descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0;
    return count;
  };
  const int before = open_descriptors();
  { const auto set = SegmentSet::Make(topology_, kMemory); }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace hv::hvd
