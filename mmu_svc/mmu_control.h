// hv.v1.MmuControl: what hvd asks of the guest-physical map.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "mmu_svc/map_change.h"
#include "mmu_svc/mmu_core.h"
#include "mmu_svc/page_log.h"
#include "mmu_svc/pager/write_watch.h"
#include "proto/hv/v1/mmu_control.grpc.pb.h"
#include "service/state_access.h"

namespace hv::mmu {

// Called by gRPC's threads. Changes of the map are committed steps; the logs and guest RAM are
// shared memory and no part of the state.
class MmuControl final : public hv::v1::MmuControl::Service {
 public:
  // `ram`: the whole RAM segment, as mapped in this process. `state` is that of an MmuCore.
  // `watch` outlives it; null: the host pages guest RAM, and there is none.
  MmuControl(service::StateAccess& state, PageLogs logs, std::span<std::byte> ram,
             WriteWatch* watch)
      : state_(state), logs_(logs), ram_(ram), watch_(watch) {}

  grpc::Status GetMap(grpc::ServerContext*, const hv::v1::MmuGetMapRequest*,
                      hv::v1::GuestMemory* response) override;
  grpc::Status SetDirtyLogging(grpc::ServerContext*, const hv::v1::MmuSetNotingRequest* request,
                               hv::v1::GuestMemory* response) override;
  grpc::Status SetWriteProtection(grpc::ServerContext*,
                                  const hv::v1::MmuSetWriteProtectionRequest* request,
                                  hv::v1::GuestMemory* response) override;
  grpc::Status ReadDirtyLog(grpc::ServerContext*, const hv::v1::MmuReadPagesRequest* request,
                            hv::v1::DirtyPages* response) override;
  grpc::Status ClearDirtyLog(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                             hv::v1::MmuClearPagesResponse*) override;
  grpc::Status SetWriteWatch(grpc::ServerContext*, const hv::v1::MmuSetNotingRequest* request,
                             hv::v1::GuestMemory* response) override;
  grpc::Status ReadWrittenPages(grpc::ServerContext*, const hv::v1::MmuReadPagesRequest* request,
                                hv::v1::DirtyPages* response) override;
  grpc::Status RewatchPages(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                            hv::v1::MmuClearPagesResponse*) override;
  grpc::Status Translate(grpc::ServerContext*, const hv::v1::MmuTranslateRequest* request,
                         hv::v1::Translation* response) override;

 private:
  State Committed();
  // Applies `change` to the map; what it changes is published under a new generation.
  absl::Status ChangeMap(const std::function<absl::Status(GuestMap&)>& change);
  // Switches the noting of `request`'s range in `log`; where it begins, its part of the log is
  // empty. Returns the pages of the range.
  absl::StatusOr<std::vector<RamPages>> Switch(const hv::v1::MmuSetNotingRequest& request,
                                               uint32_t flag, PageLog& log);

  service::StateAccess& state_;
  PageLogs logs_;
  const std::span<std::byte> ram_;
  WriteWatch* const watch_;
};

}  // namespace hv::mmu
