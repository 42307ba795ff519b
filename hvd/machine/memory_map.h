// Where a machine's RAM lies and who answers at which port and address.
#pragma once

#include "proto/hv/v1/machine.pb.h"
#include "proto/hv/v1/manifest.pb.h"

namespace hv::hvd {

hv::v1::MmuServiceConfig BuildMemoryMap(const hv::v1::MachineConfig& config);

}  // namespace hv::hvd
