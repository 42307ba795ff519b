// mmu_svc: the guest-physical map of a machine.
#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "absl/strings/str_cat.h"
#include "mmu_svc/mmu_control.h"
#include "mmu_svc/mmu_core.h"
#include "mmu_svc/pager/pager_thread.h"
#include "mmu_svc/pager/userfault.h"
#include "service/run_service.h"

namespace {

using hv::service::Attachment;

uint16_t FlagsOf(const hv::v1::Route& route) {
  return static_cast<uint16_t>((route.posted_writes() ? HV_ROUTE_POSTED_WRITES : 0) |
                               (route.late_writes() ? HV_ROUTE_LATE_WRITES : 0) |
                               (route.counted_writes() ? HV_ROUTE_COUNTED_WRITES : 0));
}

absl::StatusOr<hv::mmu::GuestMap> ReadMap(const hv::v1::MmuServiceConfig& in) {
  hv::mmu::GuestMap map{};
  if (in.routes_size() > static_cast<int>(HV_MAX_ROUTES) ||
      in.memory_size() > static_cast<int>(HV_MAX_MEMORY_SLOTS)) {
    return absl::InvalidArgumentError(absl::StrCat("mmu: ", in.routes_size(), " routes and ",
                                                   in.memory_size(), " ranges are too many"));
  }
  for (const auto& route : in.routes()) {
    map.routes[map.route_count++] = {route.first(),    route.last(),
                                     route.endpoint(), static_cast<uint16_t>(route.space()),
                                     FlagsOf(route),   0};
  }
  for (const auto& range : in.memory()) {
    map.slots[map.slot_count++] = {range.address(), range.bytes(), range.offset(),
                                   range.read_only() ? HV_MEMORY_READ_ONLY : 0u, 0};
  }
  if (auto status = hv::mmu::CheckMap(map); !status.ok()) return status;
  return map;
}

absl::StatusOr<hv::mmu::DirtyLog> OpenDirtyLog(const Attachment& attachment) {
  return hv::mmu::DirtyLog::Open(
      attachment.Find(HV_SEGMENT_DIRTY_LOG),
      attachment.Find(HV_SEGMENT_GUEST_RAM).size() / hv::mmu::kPageBytes);
}

absl::StatusOr<std::unique_ptr<hv::service::Core>> MakeCore(const Attachment& attachment) {
  auto map = ReadMap(attachment.manifest().mmu());
  if (!map.ok()) return map.status();
  auto log = OpenDirtyLog(attachment);
  if (!log.ok()) return log.status();
  hv::mmu::MmuCore::Config config{.map = *map};
  config.ram = attachment.Find(HV_SEGMENT_GUEST_RAM);
  config.log = *log;
  config.table = attachment.FindAs<hv_route_table>(HV_SEGMENT_ROUTE_TABLE);
  if (config.table == nullptr) {
    return absl::InvalidArgumentError("manifest: no route table segment");
  }
  return std::make_unique<hv::mmu::MmuCore>(config);
}

// After MakeCore, which has seen that everything is there.
std::vector<std::unique_ptr<grpc::Service>> MakeControl(const Attachment& attachment,
                                                        hv::service::StateAccess& state) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<hv::mmu::MmuControl>(state, OpenDirtyLog(attachment).value(),
                                                           attachment.Find(HV_SEGMENT_GUEST_RAM)));
  return services;
}

}  // namespace

int main() {
  return hv::service::RunService({.role = HV_ROLE_MMU,
                                  .make_core = MakeCore,
                                  .extra_services = MakeControl,
                                  .start_threads = hv::mmu::StartPager,
                                  .requests = hv::mmu::UserfaultRequests()});
}
