#include "hvd/virtualization/kvm_probe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/kvm.h>

#include <cerrno>
#include <fstream>

#include "base/temporary_folder.h"
#include "base/unique_fd.h"
#include "hvd/virtualization/probe_vm.h"

namespace hv::hvd {
namespace {

constexpr char kDevice[] = "/dev/kvm";

TEST(KvmProbeTest, ADeviceThatIsNotThereIsMissing) {
  const TemporaryFolder folder;
  const KvmFacts facts = ProbeKvm(folder.path() / "kvm", HostClocks());
  EXPECT_EQ(facts.device, DeviceAccess::kMissing);
  EXPECT_EQ(facts.open_errno, ENOENT);
}

TEST(KvmProbeTest, AFileThatIsNoKvmHasNoApi) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "kvm") << "no device";
  const KvmFacts facts = ProbeKvm(folder.path() / "kvm", HostClocks());
  EXPECT_EQ(facts.device, DeviceAccess::kUsable);
  EXPECT_EQ(facts.api_version, 0);
  EXPECT_FALSE(facts.speed.has_value());
}

// What follows needs a KVM of the host, of any speed.
class HostKvmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!kvm_.valid()) GTEST_SKIP() << "no usable " << kDevice;
  }
  const UniqueFd kvm_{open(kDevice, O_RDWR | O_CLOEXEC)};
};

TEST_F(HostKvmTest, ASpeedOrAFailureIsFound) {
  const KvmFacts facts = ProbeKvm(kDevice, HostClocks());
  EXPECT_EQ(facts.api_version, KVM_API_VERSION);
  EXPECT_NE(facts.speed.has_value(), !facts.failure.empty()) << facts.failure;
  EXPECT_GT(facts.probe_ns, 0);
}

TEST_F(HostKvmTest, AGuestThatNeverEndsIsStoppedAndTheVcpuCanBeUsedAgain) {
  auto vm = ProbeVm::Make(kvm_.get());
  if (!vm.ok()) GTEST_SKIP() << vm.status();
  EXPECT_EQ(vm->Run(ProbeCode::kForever, 0, std::chrono::milliseconds(5)).end,
            ProbeEnd::kOutOfTime);
  EXPECT_EQ(vm->Run(ProbeCode::kLoop, 10, std::chrono::seconds(10)).end, ProbeEnd::kHalted);
}

}  // namespace
}  // namespace hv::hvd
