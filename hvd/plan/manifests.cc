#include "hvd/plan/manifests.h"

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/version.h"

namespace hv::hvd {
namespace {

void Configure(const MachinePlan& plan, uint32_t role, hv::v1::Manifest& manifest) {
  switch (role) {
    case HV_ROLE_KERNEL: {
      auto& config = *manifest.mutable_kernel();
      config.set_engine(plan.engine);
      config.set_cpus(plan.cpus);
      config.set_boot_state(plan.boot_state);
      config.set_translation_cache_bytes(plan.translation_cache_bytes);
      config.set_demand_paging(plan.try_demand_paging);
      return;
    }
    case HV_ROLE_VCPU: {
      auto& config = *manifest.mutable_vcpu();
      config.set_cpus(plan.cpus);
      config.set_engine(plan.engine);
      config.set_memory_bytes(plan.memory_bytes);
      config.set_host_immunities(plan.host_immunities);
      return;
    }
    case HV_ROLE_MMU: *manifest.mutable_mmu() = plan.memory_map; return;
    case HV_ROLE_IOAPIC: manifest.mutable_ioapic()->set_cpus(plan.cpus); return;
    case HV_ROLE_TIMER: manifest.mutable_timer()->set_cpus(plan.cpus); return;
    case HV_ROLE_SERIAL:
      manifest.mutable_serial()->set_port(HV_PORT_COM1);
      manifest.mutable_serial()->set_gsi(HV_GSI_COM1);
      return;
    case HV_ROLE_POWER:
      manifest.mutable_power()->set_debug_exit(plan.debug_exit);
      manifest.mutable_power()->set_sci_gsi(HV_GSI_SCI);
      return;
    default: return;
  }
}

}  // namespace

PreparedManifest PrepareManifest(const MachinePlan& plan, const SegmentSet& segments,
                                 uint32_t endpoint, uint32_t epoch, int control) {
  PreparedManifest prepared;
  hv::v1::Manifest& manifest = prepared.manifest;
  manifest.set_abi_major(HV_ABI_MAJOR);
  manifest.set_abi_minor(HV_ABI_MINOR);
  manifest.set_machine(plan.name);
  manifest.set_endpoint(endpoint);
  manifest.set_epoch(epoch);
  manifest.set_tsc_base(plan.clock.tsc_base);
  manifest.set_tsc_hz(plan.clock.tsc_hz);
  manifest.set_realtime_base_ns(plan.clock.realtime_base_ns);
  for (const SegmentUse& use : segments.UsesOf(endpoint)) {
    hv::v1::Segment& segment = *manifest.add_segments();
    segment.set_kind(use.segment->kind);
    segment.set_fd(static_cast<uint32_t>(prepared.fds.size()));
    segment.set_bytes(use.segment->bytes);
    segment.set_writable(use.writable);
    segment.set_endpoint(use.endpoint);
    segment.set_peer(use.peer);
    prepared.fds.push_back(use.writable ? use.segment->fd.get() : use.segment->read_only.get());
  }
  manifest.set_control_fd(static_cast<uint32_t>(prepared.fds.size()));
  prepared.fds.push_back(control);
  if (HV_ENDPOINT_ROLE(endpoint) == HV_ROLE_MMU && plan.paging.on_demand()) {
    hv::v1::Userfault& userfault = *manifest.mutable_userfault();
    userfault.set_fd(static_cast<uint32_t>(prepared.fds.size()));
    userfault.set_address(plan.paging.address);
    userfault.set_bytes(plan.paging.bytes);
    prepared.fds.push_back(plan.paging.userfault.get());
  }
  Configure(plan, HV_ENDPOINT_ROLE(endpoint), manifest);
  return prepared;
}

}  // namespace hv::hvd
