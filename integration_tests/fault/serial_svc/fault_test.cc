#include "integration_tests/fault/service_faults.h"

namespace hv::testing {

const FaultySubject kSubject{.service = "serial_svc", .forges_content = true};

}  // namespace hv::testing
