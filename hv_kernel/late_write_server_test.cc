#include "hv_kernel/late_write_server.h"

#include <memory>
#include <utility>
#include <vector>

#include "abi/message.h"
#include "gtest/gtest.h"
#include "hv_kernel/fake_line.h"

namespace hv {
namespace {

constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint16_t kLate = HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES;
constexpr uint64_t kTimerBase = 0xfed00000;

Exit ToSerial(uint64_t data) { return {ExitReason::kPortWrite, 1, 0x3f8, data}; }
Exit ToTimer(uint64_t data) { return {ExitReason::kMmioWrite, 4, kTimerBase + 8, data}; }

class LateWriteServerTest : public testing::Test {
 protected:
  LateWriteServerTest() {
    auto table = std::make_unique<hv_route_table>();
    table->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_ROUTE_TABLE, HV_ABI_MAJOR, HV_ABI_MINOR};
    table->generation = 2;
    table->routes[0] = {0x3f8, 0x3f8, kSerial, HV_SPACE_PORT, kLate, 0};
    table->routes[1] = {0x900, 0x900, HV_ENDPOINT(HV_ROLE_SERIAL, 5), HV_SPACE_PORT, kLate, 0};
    table->routes[2] = {kTimerBase, kTimerBase + 0xff, kTimer, HV_SPACE_MMIO, kLate, 0};
    table->route_count = 3;
    EXPECT_TRUE(router_.Load(*table).ok());
    serial_ = Add(kSerial);
    timer_ = Add(kTimer);
  }
  FakeLine* Add(uint32_t endpoint) {
    auto line = std::make_unique<FakeLine>();
    FakeLine* raw = line.get();
    lines_.Add(endpoint, std::move(line));
    return raw;
  }
  static std::vector<uint16_t> KindsOf(const FakeLine& line) {
    std::vector<uint16_t> kinds;
    for (const auto& seen : line.seen) kinds.push_back(seen.kind);
    return kinds;
  }
  static std::vector<uint64_t> DataOf(const FakeLine& line) {
    std::vector<uint64_t> data;
    for (size_t i = 0; i < line.seen.size(); ++i) data.push_back(line.access(i).data);
    return data;
  }

  Router router_;
  LineMap lines_;
  Statistics statistics_;
  FakeLine *serial_, *timer_;
  LateWriteServer server_{router_, lines_, statistics_};
};

using Kinds = std::vector<uint16_t>;
using Data = std::vector<uint64_t>;

TEST_F(LateWriteServerTest, AVcpusOwnWritesArePostedInOrder) {
  const Exit writes[] = {ToSerial(0x41), ToTimer(0x1234), ToSerial(0x42)};
  server_.Serve(writes, /*anyones=*/false);
  EXPECT_EQ(KindsOf(*serial_), Kinds(2, HV_KIND_WRITE_POSTED));
  EXPECT_EQ(DataOf(*serial_), (Data{0x41, 0x42}));
  EXPECT_EQ(DataOf(*timer_), Data{0x1234});
  EXPECT_EQ(timer_->access(0).address, kTimerBase + 8);
  EXPECT_EQ(timer_->access(0).width, 4);
  EXPECT_EQ(timer_->access(0).space, HV_SPACE_MMIO);
  EXPECT_EQ(statistics_.posted[HV_ROLE_SERIAL].value(), 2u);
}

// Another vCPU asks on a ring of its own, whose order says nothing of this one's.
TEST_F(LateWriteServerTest, OfWritesThatMayBeAnothersTheLastToEachServiceIsAwaited) {
  const Exit writes[] = {ToSerial(1), ToSerial(2), ToTimer(3), ToSerial(4)};
  server_.Serve(writes, /*anyones=*/true);
  EXPECT_EQ(KindsOf(*serial_), (Kinds{HV_KIND_WRITE_POSTED, HV_KIND_WRITE, HV_KIND_WRITE}));
  EXPECT_EQ(DataOf(*serial_), (Data{1, 2, 4}));
  EXPECT_EQ(KindsOf(*timer_), Kinds{HV_KIND_WRITE});
  EXPECT_EQ(statistics_.requests[HV_ROLE_SERIAL].value(), 2u);
  EXPECT_EQ(statistics_.posted[HV_ROLE_SERIAL].value(), 1u);
}

TEST_F(LateWriteServerTest, AWriteToAnAbsentServiceHoldsUpNone) {
  const Exit writes[] = {{ExitReason::kPortWrite, 1, 0x900, 1}, ToSerial(2)};
  server_.Serve(writes, /*anyones=*/true);
  EXPECT_EQ(DataOf(*serial_), Data{2});
}

TEST_F(LateWriteServerTest, AStoppingMachineEndsIt) {
  serial_->stopping = true;
  const Exit writes[] = {ToSerial(1), ToSerial(2)};
  server_.Serve(writes, /*anyones=*/false);
  EXPECT_EQ(serial_->seen.size(), 1u);
}

}  // namespace
}  // namespace hv
