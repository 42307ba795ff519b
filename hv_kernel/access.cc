#include "hv_kernel/access.h"

#include "abi/message.h"
#include "hv_kernel/access_payload.h"

namespace hv {
namespace {

using service::Outgoing;
using service::Payload;

constexpr uint32_t kVcpuService = HV_ENDPOINT(HV_ROLE_VCPU, 0);

template <typename T>
Payload Pack(const T& value) {
  return Outgoing::Of(0, 0, 0, value).payload;
}

template <typename T>
T Unpack(const Payload& payload) {
  T value;
  static_assert(sizeof(T) <= sizeof(Payload));
  std::memcpy(&value, payload.data(), sizeof(T));
  return value;
}

AccessServer::MachineEvent EventOf(const hv_access_done& done) {
  switch (done.event) {
    case HV_MACHINE_EVENT_POWER_OFF: return {.cause = StopCause::kPowerOff};
    case HV_MACHINE_EVENT_RESET: return {.cause = StopCause::kReset};
    default: return {.cause = StopCause::kDebugExit, .value = done.event_value};
  }
}

// Only power_svc may stop the machine with an answer; from anyone else it is noise.
bool IsMachineEvent(uint32_t endpoint, const hv_access_done& done) {
  return HV_ENDPOINT_ROLE(endpoint) == HV_ROLE_POWER && done.event != HV_MACHINE_EVENT_NONE &&
         done.event <= HV_MACHINE_EVENT_DEBUG_EXIT;
}

}  // namespace

AccessServer::Result AccessServer::Serve(const Exit& exit, VcpuEngine& vcpu) {
  switch (exit.reason) {
    case ExitReason::kPortRead: return Read(HV_SPACE_PORT, exit, vcpu);
    case ExitReason::kMmioRead: return Read(HV_SPACE_MMIO, exit, vcpu);
    case ExitReason::kPortWrite: return Write(HV_SPACE_PORT, exit);
    case ExitReason::kMmioWrite: return Write(HV_SPACE_MMIO, exit);
    case ExitReason::kMsrRead: return AskVcpuService(HV_KIND_MSR_READ, exit, vcpu, true);
    case ExitReason::kMsrWrite: return AskVcpuService(HV_KIND_MSR_WRITE, exit, vcpu, false);
    case ExitReason::kCr8Read: return AskVcpuService(HV_KIND_CR8_READ, exit, vcpu, true);
    case ExitReason::kCr8Write: return AskVcpuService(HV_KIND_CR8_WRITE, exit, vcpu, false);
    default: return Result::kGoOn;
  }
}

AccessServer::Result AccessServer::Read(hv_space space, const Exit& exit, VcpuEngine& vcpu) {
  const Destination to = router_.Find(space, exit.address);
  Line* line = lines_.Find(to.endpoint);
  if (line == nullptr) {  // a route to a service this machine does not have: nobody drives the bus
    vcpu.CompleteRead(AllOnes(exit.width));
    return Result::kGoOn;
  }
  const auto answer = line->Call(HV_KIND_READ, HV_KIND_READ_DONE, PackAccess(space, exit));
  if (!answer) return Result::kStopping;
  statistics_.requests[HV_ENDPOINT_ROLE(to.endpoint)].Add();
  const auto done = Unpack<hv_access_done>(*answer);
  vcpu.CompleteRead(done.data & AllOnes(exit.width));
  if (!IsMachineEvent(to.endpoint, done)) return Result::kGoOn;
  event_ = EventOf(done);
  return Result::kMachineEvent;
}

AccessServer::Result AccessServer::Write(hv_space space, const Exit& exit) {
  const Destination to = router_.Find(space, exit.address);
  if (to.counted_writes) {
    statistics_.counted_writes.Add();
    return Result::kGoOn;
  }
  Line* line = lines_.Find(to.endpoint);
  if (line == nullptr) return Result::kGoOn;
  const Payload payload = PackAccess(space, exit);
  const uint32_t role = HV_ENDPOINT_ROLE(to.endpoint);
  if (to.posted_writes) {
    statistics_.posted[role].Add();
    return line->Post(HV_KIND_WRITE_POSTED, payload) ? Result::kGoOn : Result::kStopping;
  }
  const auto answer = line->Call(HV_KIND_WRITE, HV_KIND_WRITE_DONE, payload);
  if (!answer) return Result::kStopping;
  statistics_.requests[role].Add();
  const auto done = Unpack<hv_access_done>(*answer);
  if (!IsMachineEvent(to.endpoint, done)) return Result::kGoOn;
  event_ = EventOf(done);
  return Result::kMachineEvent;
}

AccessServer::Result AccessServer::AskVcpuService(uint16_t kind, const Exit& exit, VcpuEngine& vcpu,
                                                  bool is_read) {
  Line* line = lines_.Find(kVcpuService);
  if (line == nullptr) {
    vcpu.CompleteWithFault();
    return Result::kGoOn;
  }
  hv_msr msr{};
  msr.index = static_cast<uint32_t>(exit.address);
  msr.value = exit.data;
  const auto answer = line->Call(kind, HV_KIND_MSR_DONE, Pack(msr));
  if (!answer) return Result::kStopping;
  statistics_.requests[HV_ROLE_VCPU].Add();
  const auto done = Unpack<hv_msr_done>(*answer);
  if (done.fault != 0) {
    vcpu.CompleteWithFault();
  } else if (is_read) {
    vcpu.CompleteRead(done.value);
  } else {
    vcpu.CompleteWrite();
  }
  return Result::kGoOn;
}

}  // namespace hv
