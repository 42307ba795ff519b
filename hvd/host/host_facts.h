// What can be found out about the host, as plain data.
#pragma once

#include <cstdint>
#include <string>

#include "hvd/host/userfault_probe.h"
#include "hvd/virtualization/kvm_facts.h"
#include "hvd/virtualization/virtualization_facts.h"

namespace hv::hvd {

struct HostFacts {
  std::string cpu_model;
  bool has_invariant_tsc = false;
  bool has_fsgsbase = false;  // user mode may use RDFSBASE and WRGSBASE
  bool has_avx = false;
  bool has_avx2 = false;
  bool has_bmi2 = false;
  VirtualizationFacts virtualization;
  KvmFacts kvm;
  bool user_namespaces = false;
  std::string user_namespaces_error;
  int landlock_abi = 0;  // 0: none
  bool seccomp_filters = false;
  unsigned cores = 0;
  uint64_t available_memory_bytes = 0;
  std::string shmem_huge_pages;  // the chosen one of shmem_enabled; empty: no such file
  uint64_t descriptor_limit = 0;
  UserfaultFacts userfault;
};

// Looks; changes nothing. Takes a short-lived child process and a short-lived virtual machine of
// KVM's for what can only be tried.
HostFacts GatherHostFacts();

}  // namespace hv::hvd
