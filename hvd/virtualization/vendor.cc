#include "hvd/virtualization/vendor.h"

namespace hv::hvd {

const VirtualizationVendor& VendorOf(const VirtualizationFacts& facts) {
  static const auto& intel = *new VirtualizationVendor{
      .name = "VMX",
      .flag = "vmx",
      .module = "kvm_intel",
      .paging = "ept",
      .setup = "Intel Virtualization Technology (VT-x)",
      .features = {{"ept", "EPT"}, {"vpid", "VPID"}, {"unrestricted_guest", "unrestricted guest"}}};
  static const auto& amd = *new VirtualizationVendor{
      .name = "SVM",
      .flag = "svm",
      .module = "kvm_amd",
      .paging = "npt",
      .setup = "SVM Mode (AMD-V)",
      .features = {{"npt", "NPT"}, {"nrip_save", "next RIP"}, {"decodeassists", "decode assists"}}};
  return facts.has_vmx ? intel : amd;
}

}  // namespace hv::hvd
