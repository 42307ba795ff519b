#include "hv_kernel/kvm/write_zones.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {
namespace {

bool Same(const kvm_coalesced_mmio_zone& a, const kvm_coalesced_mmio_zone& b) {
  return a.addr == b.addr && a.size == b.size && a.pio == b.pio;
}

bool Has(const std::vector<kvm_coalesced_mmio_zone>& zones, const kvm_coalesced_mmio_zone& zone) {
  return std::any_of(zones.begin(), zones.end(), [&](const auto& one) { return Same(one, zone); });
}

bool Has(const std::vector<uint16_t>& ports, uint16_t port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

}  // namespace

WriteZones::Plan WriteZones::PlanFor(std::span<const hv_route> routes,
                                     const Capabilities& capabilities) {
  Plan plan;
  for (const hv_route& route : routes) {
    const bool port = route.space == HV_SPACE_PORT;
    const uint64_t bytes = route.last - route.first + 1;  // 0: all there is
    if ((route.flags & HV_ROUTE_LATE_WRITES) != 0) {
      const bool can = port ? capabilities.late_ports : capabilities.late_memory;
      if (!can || bytes == 0 || bytes > UINT32_MAX || plan.late.size() == kMostLate) continue;
      kvm_coalesced_mmio_zone zone{};
      zone.addr = route.first;
      zone.size = static_cast<uint32_t>(bytes);
      zone.pio = port ? 1 : 0;
      plan.late.push_back(zone);
    }
    if ((route.flags & HV_ROUTE_COUNTED_WRITES) != 0) {
      // An eventfd stands for one address.
      if (!port || !capabilities.counted_ports || bytes > kMostCounted - plan.counted.size()) {
        continue;
      }
      for (uint64_t at = route.first; at <= route.last; ++at) {
        plan.counted.push_back(static_cast<uint16_t>(at));
      }
    }
  }
  return plan;
}

absl::Status WriteZones::MakeCounter() {
  counter_.Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  return counter_.valid() ? absl::OkStatus() : CallFailed("eventfd", errno);
}

absl::Status WriteZones::Apply(const Plan& plan, int vm_fd) {
  absl::Status status = Change(plan, vm_fd);
  if (status.ok()) return status;
  // Every write an exit is right with any map.
  (void)Change({}, vm_fd);
  in_force_ = {};
  return status;
}

absl::Status WriteZones::Change(const Plan& plan, int vm_fd) {
  const Plan before = in_force_;
  for (kvm_coalesced_mmio_zone zone : before.late) {
    if (Has(plan.late, zone)) continue;
    if (auto status = HV_KVM_CALL(vm_fd, KVM_UNREGISTER_COALESCED_MMIO, &zone); !status.ok()) {
      return status;
    }
    std::erase_if(in_force_.late, [&](const auto& one) { return Same(one, zone); });
  }
  for (const uint16_t port : before.counted) {
    if (Has(plan.counted, port)) continue;
    if (auto status = Count(vm_fd, port, KVM_IOEVENTFD_FLAG_DEASSIGN); !status.ok()) return status;
    std::erase(in_force_.counted, port);
  }
  for (kvm_coalesced_mmio_zone zone : plan.late) {
    if (Has(in_force_.late, zone)) continue;
    if (auto status = HV_KVM_CALL(vm_fd, KVM_REGISTER_COALESCED_MMIO, &zone); !status.ok()) {
      return status;
    }
    in_force_.late.push_back(zone);
  }
  for (const uint16_t port : plan.counted) {
    if (Has(in_force_.counted, port)) continue;
    if (auto status = Count(vm_fd, port, 0); !status.ok()) return status;
    in_force_.counted.push_back(port);
  }
  return absl::OkStatus();
}

absl::Status WriteZones::Count(int vm_fd, uint16_t port, uint32_t flags) const {
  kvm_ioeventfd counted{};
  counted.addr = port;
  counted.len = 0;  // KVM_CAP_IOEVENTFD_ANY_LENGTH: writes of every width that begin there
  counted.fd = counter_.get();
  counted.flags = KVM_IOEVENTFD_FLAG_PIO | flags;
  return HV_KVM_CALL(vm_fd, KVM_IOEVENTFD, &counted);
}

uint64_t WriteZones::CountedWrites() const {
  std::lock_guard lock(mutex_);
  uint64_t since = 0;
  // Fails when nothing was written since: it does not block.
  if (counter_.valid() && read(counter_.get(), &since, sizeof(since)) == sizeof(since)) {
    counted_ += since;
  }
  return counted_;
}

}  // namespace hv::kvm
