// hvd's side of hv.v1.MmuControl, with whichever mmu_svc a machine has at the moment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "hvd/supervision/service_client.h"
#include "proto/hv/v1/mmu_control.pb.h"

namespace hv::hvd {

// A call whose process dies is made again with the successor, for a few seconds; then Unavailable.
// Other errors are mmu_svc's own. Thread-safe if `current` is.
class MmuClient {
 public:
  // The connection to the present process; null while there is none.
  using Current = std::function<std::shared_ptr<ServiceClient>()>;
  explicit MmuClient(Current current) : current_(std::move(current)) {}

  absl::StatusOr<hv::v1::GuestMemory> GetMap();
  absl::StatusOr<hv::v1::GuestMemory> SetDirtyLogging(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::GuestMemory> SetWriteProtection(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::DirtyPages> ReadDirtyLog(uint64_t address);
  // Once: a page may have become dirty again before a second try.
  absl::Status ClearDirtyLog(const hv::v1::DirtyPages& pages);
  absl::StatusOr<hv::v1::GuestMemory> SetWriteWatch(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::DirtyPages> ReadWrittenPages(uint64_t address);
  // Once, likewise.
  absl::Status RewatchPages(const hv::v1::DirtyPages& pages);
  absl::StatusOr<hv::v1::Translation> Translate(const hv::v1::MmuTranslateRequest& request);

 private:
  const Current current_;
};

}  // namespace hv::hvd
