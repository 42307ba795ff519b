#include "integration_tests/fault/service_faults.h"

namespace hv::testing {

const FaultySubject kSubject{.service = "mmu_svc", .forges_content = false};

}  // namespace hv::testing
