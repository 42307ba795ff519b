// vcpu_svc: local APICs, MSRs and CPUID of a machine's vCPUs.
#include <algorithm>
#include <cstring>

#include "abi/endpoint.h"
#include "absl/strings/str_cat.h"
#include "ring/wake.h"
#include "service/run_service.h"
#include "service/wiring.h"
#include "vcpu_svc/cpuid_policy.h"
#include "vcpu_svc/vcpu_core.h"

namespace {

using hv::service::Attachment;

void WriteCpuidTable(const Attachment& attachment, uint32_t cpus) {
  auto* table = attachment.FindAs<hv_cpuid_table>(HV_SEGMENT_CPUID_TABLE);
  if (table == nullptr) return;
  const auto entries = hv::vcpu::BuildCpuidTable(
      hv::vcpu::HostCpuid(), {.cpus = cpus, .tsc_hz = attachment.manifest().tsc_hz()});
  const size_t count = std::min<size_t>(entries.size(), HV_MAX_CPUID_ENTRIES);
  std::copy_n(entries.begin(), count, table->entries);
  table->count = static_cast<uint32_t>(count);
}

// On hardware a guest is as vulnerable as the host.
uint64_t ArchCapabilitiesOn(const hv::v1::VcpuServiceConfig& config) {
  const uint64_t immunities = config.host_immunities();
  return config.engine() == "soft" ? hv::vcpu::ArchCapabilities(immunities) : immunities;
}

absl::StatusOr<std::unique_ptr<hv::service::Core>> MakeCore(const Attachment& attachment) {
  const uint32_t cpus = attachment.manifest().vcpu().cpus();
  if (cpus == 0 || cpus > HV_MAX_VCPUS) {
    return absl::InvalidArgumentError(
        absl::StrCat("vcpu.cpus: ", cpus, ", must be 1 to ", HV_MAX_VCPUS));
  }
  if (attachment.manifest().tsc_hz() == 0) {
    return absl::InvalidArgumentError("manifest: tsc_hz is 0");
  }
  std::vector<hv_vcpu_page*> pages;
  std::vector<hv::ring::Waker> wakers, kickers;
  for (uint32_t i = 0; i < cpus; ++i) {
    const uint32_t endpoint = HV_ENDPOINT(HV_ROLE_KERNEL, i);
    auto* page = attachment.FindAs<hv_vcpu_page>(HV_SEGMENT_VCPU_PAGE, endpoint);
    if (page == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("manifest: no vCPU page of vCPU ", i));
    }
    auto wake = hv::service::FindWake(attachment, endpoint);
    if (!wake.ok()) return wake.status();
    pages.push_back(page);
    wakers.emplace_back(*wake);
    kickers.emplace_back(&page->kicks, &page->inside);
  }
  WriteCpuidTable(attachment, cpus);
  const auto wake = [wakers, kickers](uint32_t vcpu) mutable {
    wakers[vcpu].Wake();
    kickers[vcpu].Wake();
  };
  return std::make_unique<hv::vcpu::VcpuCore>(
      hv::vcpu::MachineConfig{.cpus = cpus,
                              .tsc_hz = attachment.manifest().tsc_hz(),
                              .intel = hv::vcpu::IsIntel(hv::vcpu::HostCpuid()),
                              .arch_capabilities = ArchCapabilitiesOn(attachment.manifest().vcpu()),
                              .realtime_base_ns = attachment.manifest().realtime_base_ns(),
                              .pages = hv::vcpu::VcpuPages(std::move(pages), wake)});
}

}  // namespace

int main() { return hv::service::RunService({.role = HV_ROLE_VCPU, .make_core = MakeCore}); }
