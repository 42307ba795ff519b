// What a state segment is refused for, and what a successor refuses to go on with.
#include "service/state_segment.h"

#include <string>
#include <vector>

#include "abi/endpoint.h"
#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace hv::service {
namespace {

constexpr size_t kStateBytes = 40;
constexpr uint32_t kLayout = 3;
constexpr uint32_t kEpoch = 5;

class StateSegmentTest : public testing::Test {
 protected:
  StateSegmentTest() : memory_(HV_STATE_SEGMENT_BYTES(kStateBytes) / sizeof(uint64_t)) {
    StateSegment::Format(bytes(), HV_ROLE_TIMER, kEpoch);
  }
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(memory_.data()), memory_.size() * sizeof(uint64_t)};
  }
  hv_state_header& header() { return *reinterpret_cast<hv_state_header*>(memory_.data()); }
  absl::StatusOr<StateSegment> Open(size_t state_bytes = kStateBytes, uint32_t layout = kLayout) {
    return StateSegment::Open(bytes(), HV_ROLE_TIMER, kEpoch, state_bytes, layout);
  }
  // Commits one step whose outbox holds one cell for channel 1 at position 0.
  StateSegment CommitOneCell() {
    StateSegment state = Open().value();
    state.PrepareSpare(2);
    hv_state_copy& spare = state.spare();
    spare.outbox_count = 1;
    spare.outbox[0].channel = 1;
    spare.outbox[0].position = 0;
    spare.outbox[0].cell.stamp = 1;
    spare.produced[1] = 1;
    state.Commit(stores_);
    return state;
  }
  hv_state_copy& Current(StateSegment& state) {
    return const_cast<hv_state_copy&>(state.current());
  }
  static void ExpectRefused(const absl::Status& status, const std::string& because) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_NE(std::string(status.message()).find(because), std::string::npos) << status;
  }

  std::vector<uint64_t> memory_;
  ring::DirectStores stores_;
};

TEST_F(StateSegmentTest, ANewSegmentIsFreshAndTakesTheFirstLayout) {
  auto state = Open();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(state->fresh());
  EXPECT_EQ(header().state_layout, kLayout);
  EXPECT_EQ(header().state_bytes, kStateBytes);
}

TEST_F(StateSegmentTest, CommittingMakesTheSpareCopyCurrentAndLeavesTheOther) {
  StateSegment state = Open().value();
  state.PrepareSpare(1);
  *static_cast<uint64_t*>(state.spare_state()) = 17;
  EXPECT_EQ(*static_cast<const uint64_t*>(state.current_state()), 0u);
  state.Commit(stores_);
  EXPECT_EQ(*static_cast<const uint64_t*>(state.current_state()), 17u);
  EXPECT_EQ(*static_cast<const uint64_t*>(state.spare_state()), 0u);
  EXPECT_FALSE(state.fresh());
}

TEST_F(StateSegmentTest, AStepStartsFromTheCurrentCopyWithAnEmptyOutbox) {
  StateSegment state = CommitOneCell();
  state.PrepareSpare(2);
  EXPECT_EQ(state.spare().produced[1], 1u);
  EXPECT_EQ(state.spare().outbox_count, 0u);
}

TEST_F(StateSegmentTest, RefusesASegmentTooSmallForTheState) {
  ExpectRefused(Open(1 << 20).status(), "needed");
}

TEST_F(StateSegmentTest, RefusesAnotherMajorNamingBoth) {
  header().header.major = 9;
  ExpectRefused(Open().status(), "major 9");
  ExpectRefused(Open().status(), absl::StrCat("major ", HV_ABI_MAJOR));
}

TEST_F(StateSegmentTest, RefusesTheSegmentOfAnotherRole) {
  header().role = HV_ROLE_SERIAL;
  ExpectRefused(Open().status(), "role 6");
}

TEST_F(StateSegmentTest, RefusesAProcessOfAnotherEpoch) {
  header().epoch = kEpoch + 1;
  ExpectRefused(Open().status(), "epoch 6");
}

TEST_F(StateSegmentTest, RefusesACommittedStateOfAnotherLayoutOrSize) {
  CommitOneCell();
  ExpectRefused(Open(kStateBytes, kLayout + 1).status(), "ImportState");
  ExpectRefused(Open(kStateBytes - 8, kLayout).status(), "ImportState");
  EXPECT_TRUE(Open().ok());
}

TEST_F(StateSegmentTest, BeforeTheFirstCommitTheLayoutMayStillChange) {
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(Open(kStateBytes, kLayout + 1).ok()) << "who opened it first has left no state";
}

TEST_F(StateSegmentTest, AnHonestOutboxCanBeGoneOnWith) {
  EXPECT_TRUE(CommitOneCell().CheckCurrent(2).ok());
  EXPECT_TRUE(Open().value().CheckCurrent(2).ok());
}

TEST_F(StateSegmentTest, AnOutboxLargerThanItsPlaceIsRefused) {
  StateSegment state = CommitOneCell();
  Current(state).outbox_count = HV_OUTBOX_CELLS + 1;
  ExpectRefused(state.CheckCurrent(2), "outbox of 65 cells");
}

TEST_F(StateSegmentTest, AnOutboxCellForNoChannelIsRefused) {
  StateSegment state = CommitOneCell();
  ExpectRefused(state.CheckCurrent(1), "channel 1 of 1");
}

TEST_F(StateSegmentTest, AnOutboxCellForAnotherPlaceIsRefused) {
  StateSegment state = CommitOneCell();
  Current(state).outbox[0].cell.stamp = 9;
  ExpectRefused(state.CheckCurrent(2), "stamp 9");
  Current(state).outbox[0].cell.stamp = 1;
  Current(state).produced[1] = 400;
  ExpectRefused(state.CheckCurrent(2), "400 were sent");
}

}  // namespace
}  // namespace hv::service
