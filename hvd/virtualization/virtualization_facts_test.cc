#include "hvd/virtualization/virtualization_facts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "hvd/virtualization/firmware_switch.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

// A host's files in a folder.
class FakeFiles {
 public:
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root() + path).substr(0, (root() + path).rfind('/')));
    std::ofstream(root() + path) << text;
  }
  // A register's device file: `value` at `number`, which is the offset.
  void WriteRegister(unsigned cpu, uint64_t number, uint64_t value) {
    const std::string path = "/dev/cpu/" + std::to_string(cpu) + "/msr";
    Write(path, "");
    std::ofstream file(root() + path, std::ios::binary);
    file.seekp(static_cast<std::streamoff>(number));
    file.write(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  std::string root() const { return folder_.path(); }

 private:
  const TemporaryFolder folder_;
};

constexpr char kIntelCpus[] =
    "processor: 0\nvendor_id: GenuineIntel\nflags: fpu vmx\n\n"
    "processor: 1\nvendor_id: GenuineIntel\nflags: fpu vmx\n";

TEST(VirtualizationFactsTest, AnEmptyHostHasNothing) {
  const FakeFiles files;
  const auto facts = ReadVirtualizationFiles(files.root(), true, false);
  EXPECT_TRUE(facts.cpus.empty());
  EXPECT_TRUE(facts.modules.empty());
  EXPECT_FALSE(facts.device.exists);
  EXPECT_FALSE(facts.device_registered);
}

TEST(VirtualizationFactsTest, ModulesDeviceAndGroupAreFound) {
  FakeFiles files;
  files.Write("/sys/module/kvm_intel/parameters/ept", "Y\n");
  files.Write("/sys/module/kvm_intel/parameters/nested", "N\n");
  files.Write("/sys/module/kvm/parameters/halt_poll_ns", "200000\n");
  files.Write("/sys/module/kvmalloc/refcnt", "0\n");
  files.Write("/sys/class/misc/kvm/dev", "10:232\n");
  files.Write("/dev/kvm", "");
  files.Write("/etc/group", "root:x:0:\nvirtual:x:" + std::to_string(getegid()) + ":someone\n");
  chmod((files.root() + "/dev/kvm").c_str(), 0660);
  const auto facts = ReadVirtualizationFiles(files.root(), true, false);
  EXPECT_EQ(facts.modules, (std::vector<std::string>{"kvm", "kvm_intel"}));
  EXPECT_EQ(facts.module_parameters.at("kvm_intel.ept"), "Y");
  EXPECT_EQ(facts.module_parameters.at("kvm_intel.nested"), "N");
  EXPECT_TRUE(facts.device_registered);
  EXPECT_EQ(facts.device.mode, 0660u);
  EXPECT_EQ(facts.device.group, getegid() == 0 ? "root" : "virtual");
}

TEST(VirtualizationFactsTest, TheHostsOwnCanBeLookedAt) {
  const auto facts = GatherVirtualizationFacts();
  EXPECT_FALSE(facts.cpus.empty());
  EXPECT_FALSE(facts.cpus.front().model.empty());
}

TEST(VirtualizationFactsTest, TheLogsLastRefusalIsFound) {
  EXPECT_EQ(FindRefusal(""), "");
  EXPECT_EQ(FindRefusal("<6>[    0.1] kvm-guest: setup PV IPIs\n"
                        "<6>[    0.2] SMBIOS 3.0 present.\n"),
            "");
  EXPECT_EQ(FindRefusal(
                "<6>[    0.135737] x86/cpu: VMX (outside TXT) disabled by BIOS\n"
                "<3>[    9.0] kvm_intel: VMX not enabled (by BIOS) in MSR_IA32_FEAT_CTL on CPU 0\n"
                "<6>[   10.0] eth0: up\n"),
            "kvm_intel: VMX not enabled (by BIOS) in MSR_IA32_FEAT_CTL on CPU 0");
  EXPECT_EQ(FindRefusal("[    1.0] kvm: no hardware support for 'kvm_amd'"),
            "kvm: no hardware support for 'kvm_amd'");
}

TEST(FirmwareSwitchTest, IntelsRegisterDecides) {
  struct Case {
    uint64_t feature_control;
    FirmwareSwitch state;
  };
  for (const auto& [value, state] : {Case{0x0, FirmwareSwitch::kOn},      // unlocked
                                     Case{0x5, FirmwareSwitch::kOn},      // locked, on
                                     Case{0x1, FirmwareSwitch::kOff},     // locked, off
                                     Case{0x3, FirmwareSwitch::kOff}}) {  // locked, SMX alone
    FakeFiles files;
    files.Write("/proc/cpuinfo", kIntelCpus);
    for (unsigned cpu : {0u, 1u}) files.WriteRegister(cpu, 0x3a, value);
    const auto finding = LookAtFirmwareSwitch(ReadVirtualizationFiles(files.root(), true, false));
    EXPECT_EQ(finding.state, state) << value;
    EXPECT_EQ(finding.from, "IA32_FEATURE_CONTROL of CPU 0-1");
  }
}

TEST(FirmwareSwitchTest, AmdsRegisterDecidesAndOneCpuThatIsOffIsNamed) {
  FakeFiles files;
  files.Write("/proc/cpuinfo", "processor: 0\nflags: svm\nprocessor: 1\nflags: svm\n");
  files.WriteRegister(0, 0xc0010114, 0x8);
  files.WriteRegister(1, 0xc0010114, 0x18);
  const auto finding = LookAtFirmwareSwitch(ReadVirtualizationFiles(files.root(), false, true));
  EXPECT_EQ(finding.state, FirmwareSwitch::kOff);
  EXPECT_EQ(finding.from, "VM_CR of CPU 1");
}

TEST(FirmwareSwitchTest, WithoutRegistersTheKernelTells) {
  VirtualizationFacts facts{.has_vmx = true, .cpus = {{.flags = {"fpu"}}}};
  EXPECT_EQ(LookAtFirmwareSwitch(facts).state, FirmwareSwitch::kOff);
  facts.cpus[0].flags = {"fpu", "vmx"};
  facts.firmware_registers_error = "/dev/cpu/0/msr: Permission denied";
  EXPECT_EQ(LookAtFirmwareSwitch(facts).state, FirmwareSwitch::kUnknown);
  EXPECT_EQ(LookAtFirmwareSwitch(facts).from, facts.firmware_registers_error);
  facts.kernel_log = "kvm: disabled by bios";
  EXPECT_EQ(LookAtFirmwareSwitch(facts).state, FirmwareSwitch::kOff);
  EXPECT_EQ(LookAtFirmwareSwitch(facts).from, "the kernel's log: kvm: disabled by bios");
}

TEST(FirmwareSwitchTest, AModuleForThisCpuThatHasItsDeviceShowsThatItIsOn) {
  VirtualizationFacts facts{.has_svm = true,
                            .cpus = {{.flags = {"svm"}}},
                            .modules = {"kvm", "kvm_pvm"},
                            .device_registered = true};
  EXPECT_EQ(LookAtFirmwareSwitch(facts).state, FirmwareSwitch::kUnknown) << "pvm uses no SVM";
  facts.modules.emplace_back("kvm_amd");
  EXPECT_EQ(LookAtFirmwareSwitch(facts).state, FirmwareSwitch::kOn);
}

TEST(FirmwareSwitchTest, ACpuWithoutVirtualizationHasNothingToTurnOn) {
  EXPECT_EQ(LookAtFirmwareSwitch({}).state, FirmwareSwitch::kNone);
}

}  // namespace
}  // namespace hv::hvd
