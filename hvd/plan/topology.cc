#include "hvd/plan/topology.h"

#include <algorithm>

#include "abi/endpoint.h"
#include "abi/state.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/role_name.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kVcpuService = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint32_t kMmuService = HV_ENDPOINT(HV_ROLE_MMU, 0);
constexpr uint32_t kIoapicService = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kTimerService = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kSerialService = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kPowerService = HV_ENDPOINT(HV_ROLE_POWER, 0);
constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);

// Room for several whole outboxes, so that a burst finds room without waiting.
constexpr uint32_t kCells = 4 * HV_OUTBOX_CELLS;
// The guest writes a byte a message. The ring holds the console's whole credit of 16384 bytes even
// so: while nobody takes output, credit stops the transmitter, never a full ring the service.
constexpr uint32_t kConsoleCells = 32768;

class Planner {
 public:
  explicit Planner(uint32_t cpus) {
    for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
      topology_.vcpus.push_back(HV_ENDPOINT(HV_ROLE_KERNEL, cpu));
    }
    topology_.services = {kVcpuService,  kMmuService,    kIoapicService,
                          kTimerService, kSerialService, kPowerService};
  }

  void Join(uint32_t one, uint32_t other, uint32_t capacity = kCells) {
    topology_.channels.push_back({std::min(one, other), std::max(one, other), capacity});
  }

  Topology Plan() {
    for (uint32_t vcpu : topology_.vcpus) {
      for (uint32_t service : topology_.services) Join(vcpu, service);
    }
    Join(kVcpuService, kMmuService);     // records a vCPU's MSRs ask for in guest memory
    Join(kVcpuService, kIoapicService);  // interrupts, EOIs, the 8259 pair's output
    Join(kVcpuService, kTimerService);   // local-APIC deadlines, HPET messages
    Join(kTimerService, kIoapicService);
    Join(kSerialService, kIoapicService);
    Join(kPowerService, kIoapicService);
    Join(kSerialService, kHost, kConsoleCells);
    Join(kPowerService, kHost);
    return std::move(topology_);
  }

 private:
  Topology topology_;
};

}  // namespace

std::vector<uint32_t> Topology::Endpoints() const {
  std::vector<uint32_t> all = vcpus;
  all.insert(all.end(), services.begin(), services.end());
  all.push_back(kHost);
  return all;
}

Topology PlanTopology(uint32_t cpus) { return Planner(cpus).Plan(); }

uint32_t ProcessOf(uint32_t endpoint) {
  return HV_ENDPOINT_ROLE(endpoint) == HV_ROLE_KERNEL ? HV_ENDPOINT(HV_ROLE_KERNEL, 0) : endpoint;
}

absl::StatusOr<uint32_t> ServiceNamed(const std::vector<uint32_t>& services,
                                      const std::string& name) {
  std::vector<std::string> names;
  for (const uint32_t service : services) {
    names.push_back(service::EndpointName(service));
    if (names.back() == name) return service;
  }
  return absl::NotFoundError(
      absl::StrCat("service '", name, "': the machine has ", absl::StrJoin(names, ", ")));
}

}  // namespace hv::hvd
