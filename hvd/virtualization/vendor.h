// Intel's and AMD's virtualization: what each is called, and what of it matters to guests.
#pragma once

#include <string>
#include <vector>

#include "hvd/virtualization/virtualization_facts.h"

namespace hv::hvd {

struct VirtualizationFeature {
  const char* flag;  // as /proc/cpuinfo has it
  const char* name;
};

struct VirtualizationVendor {
  const char* name;    // "VMX"
  const char* flag;    // in /proc/cpuinfo
  const char* module;  // of KVM
  const char*
      paging;         // the flag, and the module's parameter, of page tables for guests in hardware
  const char* setup;  // what a firmware's setup calls it
  std::vector<VirtualizationFeature> features;
};

// REQUIRES: has_vmx or has_svm.
const VirtualizationVendor& VendorOf(const VirtualizationFacts& facts);

}  // namespace hv::hvd
