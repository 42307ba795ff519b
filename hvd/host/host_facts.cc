#include "hvd/host/host_facts.h"

#include <cpuid.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "hvd/virtualization/kvm_probe.h"

namespace hv::hvd {
namespace {

constexpr unsigned long kHwcap2Fsgsbase = 1 << 1;  // HWCAP2_FSGSBASE

struct Cpuid {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  explicit Cpuid(uint32_t leaf) { __get_cpuid_count(leaf, 0, &eax, &ebx, &ecx, &edx); }
};

void LookAtCpu(HostFacts& facts) {
  constexpr uint32_t kAvx2 = 1u << 5, kBmi2 = 1u << 8;  // leaf 7, EBX
  constexpr uint32_t kInvariantTsc = 1u << 8;           // leaf 0x80000007, EDX
  facts.virtualization = GatherVirtualizationFacts();
  const auto& cpus = facts.virtualization.cpus;
  facts.cpu_model = cpus.empty() || cpus.front().model.empty() ? "unknown" : cpus.front().model;
  __builtin_cpu_init();
  facts.has_avx = __builtin_cpu_supports("avx") != 0;  // and the host's kernel keeps its state
  facts.has_avx2 = (Cpuid(7).ebx & kAvx2) != 0;
  facts.has_bmi2 = (Cpuid(7).ebx & kBmi2) != 0;
  facts.has_invariant_tsc = (Cpuid(0x80000007).edx & kInvariantTsc) != 0;
  facts.has_fsgsbase = (getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0;
}

// Only trying tells: several mechanisms can forbid it.
void TryUserNamespace(HostFacts& facts) {
  const pid_t child = fork();
  if (child == 0) _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    facts.user_namespaces_error = "could not be tried";
    return;
  }
  facts.user_namespaces = WEXITSTATUS(status) == 0;
  if (!facts.user_namespaces) facts.user_namespaces_error = std::strerror(WEXITSTATUS(status));
}

bool HasSeccompFilters() {
  uint32_t action = SECCOMP_RET_ERRNO;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

uint64_t AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string name, unit; file;) {
    uint64_t kibibytes = 0;
    file >> name >> kibibytes;
    if (name == "MemAvailable:") return kibibytes * 1024;
    std::getline(file, unit);
  }
  return 0;
}

// "always within_size [advise] never" -> "advise".
std::string ShmemHugePages() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  for (std::string word; file >> word;) {
    if (word.front() == '[' && word.back() == ']') return word.substr(1, word.size() - 2);
  }
  return "";
}

unsigned Cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

HostFacts GatherHostFacts() {
  HostFacts facts;
  LookAtCpu(facts);
  facts.kvm = ProbeKvm("/dev/kvm", HostClocks());
  TryUserNamespace(facts);
  const long landlock =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  facts.landlock_abi = landlock > 0 ? static_cast<int>(landlock) : 0;
  facts.seccomp_filters = HasSeccompFilters();
  facts.cores = Cores();
  facts.available_memory_bytes = AvailableMemory();
  facts.shmem_huge_pages = ShmemHugePages();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.descriptor_limit = limit.rlim_max;
  facts.userfault = ProbeUserfault();
  return facts;
}

}  // namespace hv::hvd
