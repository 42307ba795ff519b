// power_svc: ACPI power management, reset and debug exit.
#include "abi/endpoint.h"
#include "device_svc/power/power_core.h"
#include "service/run_service.h"

int main() {
  return hv::service::RunService(
      {.role = HV_ROLE_POWER,
       .make_core = [](const hv::service::Attachment& attachment)
           -> absl::StatusOr<std::unique_ptr<hv::service::Core>> {
         const auto& config = attachment.manifest().power();
         return std::make_unique<hv::power::PowerCore>(hv::power::PowerCore::Config{
             .debug_exit = config.debug_exit(), .sci_gsi = config.sci_gsi()});
       }});
}
