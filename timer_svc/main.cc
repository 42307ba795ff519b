// timer_svc: 8254, HPET, CMOS clock, ACPI PM timer and the deadlines of the local APICs.
#include "abi/endpoint.h"
#include "absl/strings/str_cat.h"
#include "service/run_service.h"
#include "timer_svc/timer_core.h"

namespace {

absl::StatusOr<std::unique_ptr<hv::service::Core>> MakeCore(
    const hv::service::Attachment& attachment) {
  const uint32_t cpus = attachment.manifest().timer().cpus();
  if (cpus == 0 || cpus > HV_MAX_VCPUS) {
    return absl::InvalidArgumentError(
        absl::StrCat("timer.cpus: ", cpus, ", must be 1 to ", HV_MAX_VCPUS));
  }
  return std::make_unique<hv::timer::TimerCore>(hv::timer::TimerCore::Config{
      .cpus = cpus, .realtime_base_ns = attachment.manifest().realtime_base_ns()});
}

}  // namespace

int main() { return hv::service::RunService({.role = HV_ROLE_TIMER, .make_core = MakeCore}); }
