#include "hvd/host/doctor.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hvd/host/doctor_kvm.h"
#include "hvd/host/doctor_virtualization.h"
#include "hvd/host/finding.h"

namespace hv::hvd {
namespace {

constexpr hv::v1::FindingLevel kOk = hv::v1::FINDING_LEVEL_OK;
constexpr hv::v1::FindingLevel kNote = hv::v1::FINDING_LEVEL_NOTE;
constexpr hv::v1::FindingLevel kProblem = hv::v1::FINDING_LEVEL_PROBLEM;
constexpr uint64_t kGibibyte = 1ull << 30;
// A machine of 64 vCPUs needs about 550, hvd its own, and there may be several machines.
constexpr uint64_t kEnoughDescriptors = 4096;

hv::v1::Finding EngineSoft(const HostFacts& facts) {
  const char* topic = "engine soft";
  if (!facts.has_avx || !facts.has_bmi2) {
    return MakeFinding(topic, kProblem,
                       absl::StrCat("not usable: the CPU has no ", facts.has_avx ? "BMI2" : "AVX"),
                       "use a host, or a hypervisor setting, that has AVX and BMI2");
  }
  if (!facts.has_fsgsbase) {
    return MakeFinding(topic, kNote, "usable, without FSGSBASE: entering the guest is slower",
                       "boot the host without nofsgsbase, on Linux 5.9 or newer");
  }
  return MakeFinding(topic, kOk,
                     absl::StrCat("usable; needs no privilege; guests see ",
                                  facts.has_avx2 ? "up to AVX2" : "no AVX2: the host has none"));
}

hv::v1::Finding Tsc(const HostFacts& facts) {
  if (facts.has_invariant_tsc) return MakeFinding("tsc", kOk, "invariant");
  return MakeFinding("tsc", kNote, "not marked invariant: guest time may drift",
                     "use a host, or a hypervisor setting, with an invariant TSC");
}

hv::v1::Finding Cores(const HostFacts& facts) {
  if (facts.cores >= 2) return MakeFinding("cores", kOk, absl::StrCat(facts.cores));
  return MakeFinding("cores", kNote,
                     absl::StrCat(facts.cores,
                                  ": services always sleep between messages, so device "
                                  "accesses cost several microseconds"),
                     "give hv two cores or more");
}

hv::v1::Finding Memory(const HostFacts& facts) {
  const std::string found =
      absl::StrCat(facts.available_memory_bytes / (1 << 20), " MiB available");
  if (facts.available_memory_bytes >= kGibibyte) return MakeFinding("memory", kOk, found);
  return MakeFinding("memory", kNote, found, "guests with more memory than that may be killed");
}

hv::v1::Finding HugePages(const HostFacts& facts) {
  const char* topic = "huge pages";
  if (facts.shmem_huge_pages == "always" || facts.shmem_huge_pages == "within_size" ||
      facts.shmem_huge_pages == "advise" || facts.shmem_huge_pages == "force") {
    return MakeFinding(topic, kOk, absl::StrCat("shared memory: ", facts.shmem_huge_pages));
  }
  if (facts.shmem_huge_pages.empty()) {
    return MakeFinding(topic, kNote, "the host's kernel has none for shared memory");
  }
  return MakeFinding(topic, kNote,
                     absl::StrCat("shared memory: ", facts.shmem_huge_pages,
                                  ": guest memory takes more TLB misses"),
                     "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled");
}

hv::v1::Finding DemandPaging(const HostFacts& facts) {
  const char* topic = "demand paging";
  const UserfaultFacts& userfault = facts.userfault;
  if (userfault.permits_kvm() && userfault.permits_soft()) {
    return MakeFinding(topic, kOk, "permitted, for both engines");
  }
  if (userfault.permits_soft()) {
    return MakeFinding(
        topic, kNote,
        absl::StrCat("for engine soft alone; on engine kvm the host pages guest memory: "
                     "userfaultfd: ",
                     std::strerror(userfault.call_error),
                     ", /dev/userfaultfd: ", std::strerror(userfault.device_error)),
        "let hvd's user open /dev/userfaultfd (Linux 6.1 and newer), or "
        "sysctl vm.unprivileged_userfaultfd=1");
  }
  return MakeFinding(
      topic, kNote,
      absl::StrCat("not here, the host pages guest memory: userfaultfd: ",
                   userfault.user_mode_error != 0 ? std::strerror(userfault.user_mode_error)
                                                  : "none for shared memory"),
      "use Linux 5.11 or newer with CONFIG_USERFAULTFD, and a container whose "
      "filter lets userfaultfd(2) through");
}

hv::v1::Finding WriteWatch(const HostFacts& facts) {
  const char* topic = "write watch";
  const UserfaultFacts& userfault = facts.userfault;
  if (!userfault.permits_soft() && !userfault.permits_kvm()) {
    return MakeFinding(topic, kNote, "not here: it takes demand paging",
                       "do what is said of demand paging");
  }
  if (userfault.has_write_protection) {
    return MakeFinding(topic, kOk, "possible where guest memory is paged on demand");
  }
  return MakeFinding(topic, kNote,
                     "not here: this host's kernel cannot write-protect shared memory",
                     "use Linux 5.19 or newer");
}

hv::v1::Finding UserNamespaces(const HostFacts& facts) {
  if (facts.user_namespaces) return MakeFinding("user namespaces", kOk, "services get their own");
  return MakeFinding(
      "user namespaces", kNote,
      absl::StrCat("refused: ", facts.user_namespaces_error,
                   "; services share the host's namespaces and are held by the rest"),
      "allow unprivileged user namespaces "
      "(sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)");
}

hv::v1::Finding Landlock(const HostFacts& facts) {
  if (facts.landlock_abi > 0) {
    return MakeFinding("landlock", kOk, absl::StrCat("ABI ", facts.landlock_abi));
  }
  // It is only the second line where namespaces give an empty root.
  return MakeFinding("landlock", facts.user_namespaces ? kNote : kProblem, "not there",
                     "boot with a kernel from 5.13 on and lsm=landlock,...");
}

hv::v1::Finding Seccomp(const HostFacts& facts) {
  if (facts.seccomp_filters) return MakeFinding("seccomp", kOk, "system-call filters work");
  return MakeFinding("seccomp", kProblem, "no system-call filters: services are not held in",
                     "use a kernel with CONFIG_SECCOMP_FILTER");
}

hv::v1::Finding Descriptors(const HostFacts& facts) {
  const std::string found = absl::StrCat("limit ", facts.descriptor_limit);
  if (facts.descriptor_limit >= kEnoughDescriptors) return MakeFinding("descriptors", kOk, found);
  return MakeFinding("descriptors", kNote, found,
                     "raise the hard limit (ulimit -Hn) for many vCPUs");
}

}  // namespace

std::vector<hv::v1::Finding> Examine(const HostFacts& facts) {
  std::vector<hv::v1::Finding> findings{MakeFinding("cpu", kOk, facts.cpu_model),
                                        EngineSoft(facts)};
  for (auto& finding : ExamineVirtualization(facts.virtualization)) {
    findings.push_back(std::move(finding));
  }
  for (auto& finding : ExamineKvm(facts)) findings.push_back(std::move(finding));
  for (const auto examine : {Tsc, Cores, Memory, HugePages, DemandPaging, WriteWatch,
                             UserNamespaces, Landlock, Seccomp, Descriptors}) {
    findings.push_back(examine(facts));
  }
  return findings;
}

}  // namespace hv::hvd
