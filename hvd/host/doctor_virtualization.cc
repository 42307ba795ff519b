#include "hvd/host/doctor_virtualization.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hvd/host/finding.h"
#include "hvd/virtualization/firmware_switch.h"
#include "hvd/virtualization/vendor.h"

namespace hv::hvd {
namespace {

constexpr hv::v1::FindingLevel kOk = hv::v1::FINDING_LEVEL_OK;
constexpr hv::v1::FindingLevel kNote = hv::v1::FINDING_LEVEL_NOTE;

std::string VendorName(const std::string& cpuid) {
  if (cpuid == "GenuineIntel") return "Intel";
  if (cpuid == "AuthenticAMD") return "AMD";
  if (cpuid == "HygonGenuine") return "Hygon";
  return cpuid;
}

bool Shows(const VirtualizationFacts& facts, const char* flag) {
  if (facts.cpus.empty()) return false;
  const CpuFacts& cpu = facts.cpus.front();
  return cpu.flags.count(flag) > 0 || cpu.vmx_flags.count(flag) > 0;
}

// A parameter of KVM's module says what it uses, which may be less than there is.
std::string Parameter(const VirtualizationFacts& facts, const VirtualizationVendor& vendor,
                      const char* name) {
  const auto found = facts.module_parameters.find(absl::StrCat(vendor.module, ".", name));
  return found == facts.module_parameters.end() ? "" : found->second;
}

std::string GuestOf(const VirtualizationFacts& facts) {
  if (facts.hypervisor.empty()) return "";
  return absl::StrCat("; this host is itself a guest, of ", facts.hypervisor);
}

hv::v1::Finding Virtualization(const VirtualizationFacts& facts) {
  const char* topic = "virtualization";
  if (!facts.has_vmx && !facts.has_svm) {
    return MakeFinding(
        topic, kNote, absl::StrCat("the CPU shows neither VMX nor SVM", GuestOf(facts)),
        facts.hypervisor.empty()
            ? "look in the firmware's setup: some hide what they have turned off"
            : "turn on nested virtualization where this host runs, if that can be had");
  }
  const VirtualizationVendor& vendor = VendorOf(facts);
  std::vector<std::string> has, lacks;
  for (const VirtualizationFeature& feature : vendor.features) {
    (Shows(facts, feature.flag) ? has : lacks).emplace_back(feature.name);
  }
  std::string found = absl::StrCat(
      facts.cpus.empty() ? "" : absl::StrCat(VendorName(facts.cpus.front().vendor), " "),
      vendor.name, has.empty() ? "" : " with ", absl::StrJoin(has, ", "),
      lacks.empty() ? "" : ", without ", absl::StrJoin(lacks, ", "), GuestOf(facts));
  const std::string used = Parameter(facts, vendor, vendor.paging);
  if (used == "N" || used == "0") {
    return MakeFinding(
        topic, kNote, absl::StrCat(found, "; ", vendor.module, " does not use ", vendor.paging),
        absl::StrCat("load ", vendor.module, " without ", vendor.paging,
                     "=0: without it guests' page tables are shadowed, which is slow"));
  }
  return MakeFinding(topic, kOk, std::move(found));
}

hv::v1::Finding Firmware(const VirtualizationFacts& facts) {
  const char* topic = "firmware";
  const FirmwareFinding finding = LookAtFirmwareSwitch(facts);
  if (finding.state == FirmwareSwitch::kNone) {
    return MakeFinding(topic, kOk, "has nothing to turn on");
  }
  const VirtualizationVendor& vendor = VendorOf(facts);
  switch (finding.state) {
    case FirmwareSwitch::kOn:
      return MakeFinding(topic, kOk,
                         absl::StrCat("leaves ", vendor.name, " on (", finding.from, ")"));
    case FirmwareSwitch::kOff:
      return MakeFinding(topic, kNote,
                         absl::StrCat("has turned ", vendor.name, " off (", finding.from, ")"),
                         absl::StrCat("turn on ", vendor.setup, " in the firmware's setup"));
    case FirmwareSwitch::kNone:
    case FirmwareSwitch::kUnknown: break;
  }
  return MakeFinding(
      topic, kNote,
      absl::StrCat("not known whether it leaves ", vendor.name, " on",
                   finding.from.empty() ? "" : absl::StrCat(" (", finding.from, ")")),
      absl::StrCat("as root, modprobe ", vendor.module, " and read what dmesg says"));
}

hv::v1::Finding CpusAlike(const VirtualizationFacts& facts) {
  const char* topic = "cpus alike";
  const auto differences = CpusUnlikeTheFirst(facts.cpus);
  if (differences.empty()) return MakeFinding(topic, kOk, absl::StrCat("all ", facts.cpus.size()));
  const std::string found =
      absl::StrJoin(differences, "; ", [](std::string* text, const CpuDifference& difference) {
        absl::StrAppend(text, "CPU ", ShowNumbers(difference.numbers), ": ", difference.how);
      });
  return MakeFinding(
      topic, kNote, absl::StrCat("unlike CPU ", facts.cpus.front().number, ", ", found),
      "run hvd on CPUs that are alike (taskset): a guest may not find on one what it "
      "found on another, and KVM may refuse some");
}

}  // namespace

std::vector<hv::v1::Finding> ExamineVirtualization(const VirtualizationFacts& facts) {
  return {Virtualization(facts), Firmware(facts), CpusAlike(facts)};
}

}  // namespace hv::hvd
