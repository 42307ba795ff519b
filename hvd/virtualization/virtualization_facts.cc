#include "hvd/virtualization/virtualization_facts.h"

#include <cpuid.h>
#include <sys/klog.h>

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kHypervisorBit = 1u << 31;  // leaf 1, ECX
constexpr uint32_t kVmxBit = 1u << 5;          // leaf 1, ECX
constexpr uint32_t kSvmBit = 1u << 2;          // leaf 0x80000001, ECX

uint32_t CpuidEcx(uint32_t leaf) {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  __get_cpuid_count(leaf, 0, &eax, &ebx, &ecx, &edx);
  return ecx;
}

std::string Hypervisor() {
  if ((CpuidEcx(1) & kHypervisorBit) == 0) return "";
  uint32_t eax = 0;
  uint32_t words[3] = {};
  __cpuid(0x40000000, eax, words[0], words[1], words[2]);
  char bytes[sizeof(words)];
  std::memcpy(bytes, words, sizeof(words));
  const std::string signature(bytes, strnlen(bytes, sizeof(bytes)));
  if (signature == "KVMKVMKVM") return "KVM";
  if (signature == "TCGTCGTCGTCG") return "QEMU's TCG";
  if (signature == "Microsoft Hv") return "Hyper-V";
  if (signature == "VMwareVMware") return "VMware";
  if (signature == "XenVMMXenVMM") return "Xen";
  return signature.empty() ? "a hypervisor without a name" : signature;
}

// Needs CAP_SYSLOG or kernel.dmesg_restrict=0.
std::string KernelLog() {
  constexpr int kReadAll = 3, kSizeBuffer = 10;  // syslog(2)
  const int bytes = klogctl(kSizeBuffer, nullptr, 0);
  if (bytes <= 0) return "";
  std::string log(static_cast<size_t>(bytes), '\0');
  const int got = klogctl(kReadAll, log.data(), bytes);
  log.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return log;
}

}  // namespace

std::string FindRefusal(absl::string_view log) {
  std::string found;
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    if (const size_t end = line.find("] "); end != absl::string_view::npos)
      line.remove_prefix(end + 2);
    const bool on_virtualization = absl::StrContains(line, "VMX") ||
                                   absl::StrContains(line, "SVM") || absl::StrContains(line, "kvm");
    const std::string lower = absl::AsciiStrToLower(line);
    // As arch/x86/kernel/cpu/feat_ctl.c, cpu/amd.c and arch/x86/kvm put it, from Linux 5.6 on.
    if (on_virtualization &&
        (absl::StrContains(lower, "bios") || absl::StrContains(lower, "not supported by cpu") ||
         absl::StrContains(lower, "no hardware support"))) {
      found = std::string(line);
    }
  }
  return found;
}

VirtualizationFacts GatherVirtualizationFacts() {
  VirtualizationFacts facts = ReadVirtualizationFiles("", (CpuidEcx(1) & kVmxBit) != 0,
                                                      (CpuidEcx(0x80000001) & kSvmBit) != 0);
  facts.hypervisor = Hypervisor();
  facts.kernel_log = FindRefusal(KernelLog());
  return facts;
}

}  // namespace hv::hvd
