// serial_svc: a 16550A between the guest and the console.
#include "abi/endpoint.h"
#include "device_svc/serial/serial_core.h"
#include "service/run_service.h"

int main() {
  return hv::service::RunService(
      {.role = HV_ROLE_SERIAL,
       .make_core = [](const hv::service::Attachment& attachment)
           -> absl::StatusOr<std::unique_ptr<hv::service::Core>> {
         const auto& config = attachment.manifest().serial();
         return std::make_unique<hv::serial::SerialCore>(hv::serial::SerialCore::Config{
             .port = static_cast<uint16_t>(config.port()), .gsi = config.gsi()});
       }});
}
