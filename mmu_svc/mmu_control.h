// hv.v1.MmuControl: what hvd asks of the guest-physical map.
#pragma once

#include <cstddef>
#include <span>

#include "mmu_svc/dirty_log.h"
#include "mmu_svc/mmu_core.h"
#include "proto/hv/v1/mmu_control.grpc.pb.h"
#include "service/state_access.h"

namespace hv::mmu {

// Called by gRPC's threads. Changes of the map are committed steps; the dirty log and guest RAM are
// shared memory and no part of the state.
class MmuControl final : public hv::v1::MmuControl::Service {
 public:
  // `ram`: the whole RAM segment, as mapped in this process. `state` is that of an MmuCore.
  MmuControl(service::StateAccess& state, DirtyLog log, std::span<std::byte> ram)
      : state_(state), log_(log), ram_(ram) {}

  grpc::Status GetMap(grpc::ServerContext*, const hv::v1::MmuGetMapRequest*,
                      hv::v1::GuestMemory* response) override;
  grpc::Status SetDirtyLogging(grpc::ServerContext*,
                               const hv::v1::MmuSetDirtyLoggingRequest* request,
                               hv::v1::GuestMemory* response) override;
  grpc::Status SetWriteProtection(grpc::ServerContext*,
                                  const hv::v1::MmuSetWriteProtectionRequest* request,
                                  hv::v1::GuestMemory* response) override;
  grpc::Status ReadDirtyLog(grpc::ServerContext*, const hv::v1::MmuReadDirtyLogRequest* request,
                            hv::v1::DirtyPages* response) override;
  grpc::Status ClearDirtyLog(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                             hv::v1::MmuClearDirtyLogResponse*) override;
  grpc::Status Translate(grpc::ServerContext*, const hv::v1::MmuTranslateRequest* request,
                         hv::v1::Translation* response) override;

 private:
  State Committed();
  // Applies `change` to the map; what it changes is published under a new generation.
  absl::Status ChangeMap(const std::function<absl::Status(GuestMap&)>& change);

  service::StateAccess& state_;
  DirtyLog log_;
  const std::span<std::byte> ram_;
};

}  // namespace hv::mmu
