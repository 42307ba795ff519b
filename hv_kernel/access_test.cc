#include "hv_kernel/access.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "abi/message.h"
#include "gtest/gtest.h"
#include "hv_kernel/fake_line.h"
#include "hv_kernel/fake_vcpu.h"

namespace hv {
namespace {

constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kPower = HV_ENDPOINT(HV_ROLE_POWER, 0);
constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);

class AccessTest : public testing::Test {
 protected:
  AccessTest() {
    auto table = std::make_unique<hv_route_table>();
    table->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_ROUTE_TABLE, HV_ABI_MAJOR, HV_ABI_MINOR};
    table->generation = 2;
    table->routes[0] = {0xcf9, 0xcf9, kPower, HV_SPACE_PORT, 0, 0};
    table->routes[1] = {0x3f8, 0x3f8, kSerial, HV_SPACE_PORT, HV_ROUTE_POSTED_WRITES, 0};
    table->routes[2] = {0x3f9, 0x3ff, kSerial, HV_SPACE_PORT, 0, 0};
    std::swap(table->routes[0], table->routes[1]);
    std::swap(table->routes[1], table->routes[2]);
    table->routes[3] = {0x2000, 0x2000, HV_ENDPOINT(HV_ROLE_SERIAL, 3), HV_SPACE_PORT, 0, 0};
    table->routes[4] = {0x80, 0x80, kMmu, HV_SPACE_PORT, HV_ROUTE_COUNTED_WRITES, 0};
    std::rotate(table->routes, table->routes + 4, table->routes + 5);
    table->route_count = 5;
    EXPECT_TRUE(router_.Load(*table).ok());
    serial_ = Add(kSerial);
    power_ = Add(kPower);
    vcpu_service_ = Add(kVcpu);
    mmu_ = Add(kMmu);
  }
  FakeLine* Add(uint32_t endpoint) {
    auto line = std::make_unique<FakeLine>();
    FakeLine* raw = line.get();
    lines_.Add(endpoint, std::move(line));
    return raw;
  }
  AccessServer::Result Serve(ExitReason reason, uint64_t address, uint8_t width,
                             uint64_t data = 0) {
    return server_.Serve({reason, width, address, data}, vcpu_);
  }

  Router router_;
  LineMap lines_;
  Statistics statistics_;
  FakeLine *serial_, *power_, *vcpu_service_, *mmu_;
  FakeVcpu vcpu_;
  AccessServer server_{router_, lines_, statistics_};
};

TEST_F(AccessTest, AReadGoesToItsServiceAndItsAnswerToTheGuest) {
  serial_->Answer(hv_access_done{.data = 0x60});
  EXPECT_EQ(Serve(ExitReason::kPortRead, 0x3fd, 1), AccessServer::Result::kGoOn);
  EXPECT_EQ(vcpu_.read, 0x60u);
  ASSERT_EQ(serial_->seen.size(), 1u);
  EXPECT_EQ(serial_->seen[0].kind, HV_KIND_READ);
  EXPECT_EQ(serial_->access(0).address, 0x3fdu);
  EXPECT_EQ(serial_->access(0).width, 1);
  EXPECT_EQ(statistics_.requests[HV_ROLE_SERIAL].value(), 1u);
}

TEST_F(AccessTest, AnAnswerWiderThanTheAccessIsCut) {
  serial_->Answer(hv_access_done{.data = 0xffffffffffffff12});
  Serve(ExitReason::kPortRead, 0x3fd, 1);
  EXPECT_EQ(vcpu_.read, 0x12u);
}

TEST_F(AccessTest, APostedWriteIsNotAwaited) {
  EXPECT_EQ(Serve(ExitReason::kPortWrite, 0x3f8, 1, 0x1ff41), AccessServer::Result::kGoOn);
  ASSERT_EQ(serial_->seen.size(), 1u);
  EXPECT_EQ(serial_->seen[0].kind, HV_KIND_WRITE_POSTED);
  EXPECT_EQ(serial_->access(0).data, 0x41u);
  EXPECT_EQ(statistics_.posted[HV_ROLE_SERIAL].value(), 1u);
}

TEST_F(AccessTest, OtherWritesAreAwaited) {
  Serve(ExitReason::kPortWrite, 0x3f9, 1, 1);
  EXPECT_EQ(serial_->seen.at(0).kind, HV_KIND_WRITE);
}

TEST_F(AccessTest, ACountedWriteIsNoMessage) {
  EXPECT_EQ(Serve(ExitReason::kPortWrite, 0x80, 1, 0x42), AccessServer::Result::kGoOn);
  EXPECT_TRUE(mmu_->seen.empty());
  EXPECT_EQ(statistics_.counted_writes.value(), 1u);
}

TEST_F(AccessTest, AReadOfACountedRouteIsAnswered) {
  mmu_->Answer(hv_access_done{.data = UINT64_MAX});
  Serve(ExitReason::kPortRead, 0x80, 1);
  EXPECT_EQ(vcpu_.read, 0xffu);
  EXPECT_EQ(statistics_.counted_writes.value(), 0u);
}

TEST_F(AccessTest, HolesGoToTheOwnerOfMemory) {
  mmu_->Answer(hv_access_done{.data = UINT64_MAX});
  Serve(ExitReason::kMmioRead, 0xd0000000, 4);
  EXPECT_EQ(vcpu_.read, 0xffffffffu);
  EXPECT_EQ(mmu_->access(0).space, HV_SPACE_MMIO);
}

TEST_F(AccessTest, ARouteToAnAbsentServiceReadsAllOnes) {
  Serve(ExitReason::kPortRead, 0x2000, 2);
  EXPECT_EQ(vcpu_.read, 0xffffu);
}

TEST_F(AccessTest, PowerServiceMayStopTheMachine) {
  power_->Answer(hv_access_done{.event = HV_MACHINE_EVENT_DEBUG_EXIT, .event_value = 0x10});
  EXPECT_EQ(Serve(ExitReason::kPortWrite, 0xcf9, 1, 6), AccessServer::Result::kMachineEvent);
  EXPECT_EQ(server_.event().cause, StopCause::kDebugExit);
  EXPECT_EQ(server_.event().value, 0x10u);
}

TEST_F(AccessTest, NobodyElseMay) {
  serial_->Answer(hv_access_done{.event = HV_MACHINE_EVENT_POWER_OFF});
  EXPECT_EQ(Serve(ExitReason::kPortWrite, 0x3f9, 1, 6), AccessServer::Result::kGoOn);
}

TEST_F(AccessTest, AnUnknownMachineEventIsIgnored) {
  power_->Answer(hv_access_done{.event = 99});
  EXPECT_EQ(Serve(ExitReason::kPortWrite, 0xcf9, 1, 6), AccessServer::Result::kGoOn);
}

TEST_F(AccessTest, MsrsBelongToTheVcpuService) {
  vcpu_service_->Answer(hv_msr_done{.value = 0xfee00900});
  Serve(ExitReason::kMsrRead, 0x1b, 8);
  EXPECT_EQ(vcpu_.read, 0xfee00900u);
  Serve(ExitReason::kMsrWrite, 0x6e0, 8, 5);
  EXPECT_EQ(vcpu_.writes, 1);
  EXPECT_EQ(vcpu_service_->seen.at(1).kind, HV_KIND_MSR_WRITE);
}

TEST_F(AccessTest, ARefusedMsrFaultsInTheGuest) {
  vcpu_service_->Answer(hv_msr_done{.fault = 1});
  Serve(ExitReason::kMsrRead, 0xdead, 8);
  EXPECT_EQ(vcpu_.faults, 1);
  EXPECT_FALSE(vcpu_.read.has_value());
}

TEST_F(AccessTest, AStoppingMachineLeavesTheExitAsItIs) {
  serial_->stopping = true;
  EXPECT_EQ(Serve(ExitReason::kPortRead, 0x3fd, 1), AccessServer::Result::kStopping);
  EXPECT_FALSE(vcpu_.read.has_value());
}

}  // namespace
}  // namespace hv
