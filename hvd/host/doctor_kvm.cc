#include "hvd/host/doctor_kvm.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hvd/host/finding.h"
#include "hvd/virtualization/firmware_switch.h"
#include "hvd/virtualization/kvm_capabilities.h"
#include "hvd/virtualization/kvm_verdict.h"
#include "hvd/virtualization/vendor.h"

namespace hv::hvd {
namespace {

constexpr hv::v1::FindingLevel kOk = hv::v1::FINDING_LEVEL_OK;
constexpr hv::v1::FindingLevel kNote = hv::v1::FINDING_LEVEL_NOTE;

std::string ModuleNames(const VirtualizationFacts& facts) {
  std::vector<std::string> vendors;
  for (const std::string& module : facts.modules) {
    if (module != "kvm") vendors.push_back(module);
  }
  return absl::StrJoin(vendors, ", ");
}

hv::v1::Finding DeviceMissing(const VirtualizationFacts& facts) {
  const char* topic = "kvm device";
  if (facts.device_registered) {
    return MakeFinding(topic, kNote, "the kernel has KVM, but not in this /dev, as in a container",
                       "give the container the device: --device /dev/kvm");
  }
  if (!facts.has_vmx && !facts.has_svm) {
    return MakeFinding(topic, kNote, "no /dev/kvm", "see virtualization");
  }
  const VirtualizationVendor& vendor = VendorOf(facts);
  if (LookAtFirmwareSwitch(facts).state == FirmwareSwitch::kOff) {
    return MakeFinding(topic, kNote, "no /dev/kvm", "see firmware");
  }
  return MakeFinding(topic, kNote, absl::StrCat("no /dev/kvm: ", vendor.module, " is not loaded"),
                     absl::StrCat("as root: modprobe ", vendor.module));
}

hv::v1::Finding DeviceDenied(const VirtualizationFacts& facts, int error) {
  const char* topic = "kvm device";
  constexpr unsigned kGroupMayUse = 060;
  const std::string found = absl::StrFormat("%s: mode %04o, group %s", std::strerror(error),
                                            facts.device.mode, facts.device.group);
  // Permission bits give EACCES; EPERM is the control group's device filter.
  if (error == EPERM) {
    return MakeFinding(topic, kNote, found, "give the container the device: --device /dev/kvm");
  }
  if (error != EACCES) return MakeFinding(topic, kNote, found, "as root, read what dmesg says");
  if ((facts.device.mode & kGroupMayUse) != kGroupMayUse || facts.device.group == "root") {
    return MakeFinding(topic, kNote, found,
                       "as root: chgrp kvm /dev/kvm; chmod 0660 /dev/kvm; then join group kvm");
  }
  return MakeFinding(
      topic, kNote, found,
      absl::StrCat("as root: usermod -aG ", facts.device.group, " USER; then log in again"));
}

hv::v1::Finding Device(const VirtualizationFacts& facts, const KvmFacts& kvm) {
  switch (kvm.device) {
    case DeviceAccess::kMissing: return DeviceMissing(facts);
    case DeviceAccess::kDenied: return DeviceDenied(facts, kvm.open_errno);
    case DeviceAccess::kUsable: break;
  }
  const std::string modules = ModuleNames(facts);
  return MakeFinding(
      "kvm device", kOk,
      absl::StrFormat("mode %04o, group %s%s%s", facts.device.mode, facts.device.group,
                      modules.empty() ? "" : "; module ", modules));
}

hv::v1::Finding Capabilities(const KvmFacts& kvm) {
  const char* topic = "kvm capabilities";
  if (kvm.extensions.empty()) return MakeFinding(topic, kOk, "not asked");
  const auto needed = LackingCapabilities(kvm.extensions, CapabilityUse::kNeed);
  const auto liked = LackingCapabilities(kvm.extensions, CapabilityUse::kLike);
  const std::string without =
      liked.empty() ? ""
                    : absl::StrCat("; without ", absl::StrJoin(liked, ", "), ", which would help");
  if (!needed.empty()) {
    return MakeFinding(topic, kNote, absl::StrCat("lacks ", absl::StrJoin(needed, ", "), without),
                       "take Linux 5.16 or newer");
  }
  return MakeFinding(topic, kOk, absl::StrCat("all that engine kvm needs", without));
}

hv::v1::Finding Engine(const HostFacts& facts) {
  const char* topic = "engine kvm";
  const KvmJudgement judgement = JudgeKvm(facts.kvm);
  const std::string measured =
      facts.kvm.speed
          ? absl::StrFormat(" (measured in %.1f ms)", static_cast<double>(facts.kvm.probe_ns) / 1e6)
          : "";
  switch (judgement.verdict) {
    case KvmVerdict::kReal:
      return MakeFinding(topic, kOk, absl::StrCat("usable: ", judgement.reason, measured));
    case KvmVerdict::kSlow:
      return MakeFinding(
          topic, kNote, absl::StrCat("not for use: ", judgement.reason, measured),
          "nothing to do: engine soft is faster; only hardware would be faster still");
    case KvmVerdict::kMissing:
    case KvmVerdict::kDenied:
      return MakeFinding(topic, kNote, absl::StrCat("not usable: ", judgement.reason),
                         "see kvm device; guests run with engine soft");
    case KvmVerdict::kLacking:
      return MakeFinding(topic, kNote, absl::StrCat("not usable: ", judgement.reason, measured),
                         "see kvm capabilities; guests run with engine soft");
    case KvmVerdict::kWrongApi:
    case KvmVerdict::kBroken: break;
  }
  return MakeFinding(topic, kNote, absl::StrCat("not usable: ", judgement.reason),
                     "look whether another hypervisor has the CPU's virtualization, and at dmesg");
}

}  // namespace

std::vector<hv::v1::Finding> ExamineKvm(const HostFacts& facts) {
  return {Device(facts.virtualization, facts.kvm), Capabilities(facts.kvm), Engine(facts)};
}

}  // namespace hv::hvd
