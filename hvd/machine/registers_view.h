// A vCPU's registers and a machine's end as the public interface shows them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hvd/machine/machine_instance.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// `state`: the bytes of a struct hv_vcpu_state. Internal: they are not.
absl::StatusOr<hv::v1::Registers> ShowRegisters(uint32_t vcpu, const std::string& state);

// Exit statuses of machines that did not end by a debug exit, whose own are odd: all even, so that
// scripts can tell them apart.
inline constexpr uint32_t kExitPowerOff = 0;
inline constexpr uint32_t kExitGuestCrashed = 8;
inline constexpr uint32_t kExitMachineFailed = 10;
inline constexpr uint32_t kExitStopped = 12;

hv::v1::MachineExit ShowEnd(const InstanceEnd& end);

}  // namespace hv::hvd
