#include "hvd/machine/machine_registry.h"

#include <filesystem>

#include "hvd/testing/machine_fixture.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

using MachineRegistryTest = MachineFixture;

TEST_F(MachineRegistryTest, EveryFailureToCreateLeavesNothing) {
  const int before = OpenDescriptors();
  const auto expect_refused = [&](absl::StatusCode code) {
    const auto refused = registry_.Create(config_).status();
    EXPECT_EQ(refused.code(), code) << refused;
    EXPECT_EQ(launcher_.alive(), 0);
    EXPECT_TRUE(registry_.All().empty());
    EXPECT_FALSE(fs::exists(path_ + "/machines/vm"));
    EXPECT_LE(OpenDescriptors() - before, 2 * launcher_.launched());
  };
  config_.set_cpus(65);
  expect_refused(absl::StatusCode::kInvalidArgument);
  config_.set_cpus(1);
  config_.set_kernel(path_ + "/none");
  expect_refused(absl::StatusCode::kNotFound);
  config_.set_kernel(path_ + "/kernel");
  loader_.error = absl::InvalidArgumentError("kernel: not a kernel");
  expect_refused(absl::StatusCode::kInvalidArgument);
  loader_.error = absl::OkStatus();
  launcher_.missing = {"timer_svc"};
  expect_refused(absl::StatusCode::kNotFound);
  launcher_.missing = {"hv_kernel"};
  expect_refused(absl::StatusCode::kNotFound);
  launcher_.missing.clear();
  launcher_.die_at_once = {"serial_svc"};
  expect_refused(absl::StatusCode::kUnavailable);
  launcher_.die_at_once = {"hv_kernel"};
  expect_refused(absl::StatusCode::kUnavailable);
  launcher_.die_at_once.clear();
  EXPECT_NE(Create(), nullptr) << "and then it can be created";
}

TEST_F(MachineRegistryTest, ATakenNameIsRefusedAndTheFirstMachineUnharmed) {
  const auto machine = CreateAndStart();
  EXPECT_EQ(registry_.Create(config_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineRegistryTest, UnknownNamesAreNotFoundAndTheKnownOnesNamed) {
  CreateAndStart();
  const auto status = registry_.Find("mv").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("vm"), absl::string_view::npos);
}

TEST_F(MachineRegistryTest, DeleteNeedsAStoppedMachineOrForce) {
  CreateAndStart();
  EXPECT_EQ(registry_.Delete("vm", false).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(registry_.Delete("vm", true).ok());
  AwaitEvent(hv::v1::EVENT_KIND_DELETED);
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_TRUE(registry_.All().empty());
  EXPECT_EQ(registry_.Delete("vm", true).code(), absl::StatusCode::kNotFound);
}

TEST_F(MachineRegistryTest, WhoEndsWithTheLastMachineTakesNoOtherAfterIt) {
  int ends = 0;
  MachineRegistry registry(world(), [&ends] { ++ends; });
  ASSERT_TRUE(registry.Create(config_).ok());
  EXPECT_FALSE(registry.CloseIfEmpty());
  ASSERT_TRUE(registry.Delete("vm", false).ok());
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(registry.Create(config_).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hv::hvd
