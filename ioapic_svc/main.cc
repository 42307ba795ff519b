// ioapic_svc: the I/O APIC and the 8259 pair of a machine.
#include "abi/endpoint.h"
#include "ioapic_svc/ioapic_core.h"
#include "service/run_service.h"

int main() {
  return hv::service::RunService({.role = HV_ROLE_IOAPIC,
                                  .make_core = [](const hv::service::Attachment&)
                                      -> absl::StatusOr<std::unique_ptr<hv::service::Core>> {
                                    return std::make_unique<hv::ioapic::IoapicCore>();
                                  }});
}
