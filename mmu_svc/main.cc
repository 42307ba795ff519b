// mmu_svc: the guest-physical map of a machine.
#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "absl/strings/str_cat.h"
#include "mmu_svc/mmu_control.h"
#include "mmu_svc/mmu_core.h"
#include "mmu_svc/pager/pager_thread.h"
#include "mmu_svc/pager/userfault.h"
#include "mmu_svc/watched_memory.h"
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

absl::StatusOr<hv::mmu::PageLogs> OpenLogs(const Attachment& attachment) {
  const uint64_t pages = attachment.Find(HV_SEGMENT_GUEST_RAM).size() / hv::mmu::kPageBytes;
  auto dirty = hv::mmu::PageLog::Open(attachment.Find(HV_SEGMENT_DIRTY_LOG), pages);
  if (!dirty.ok()) return dirty.status();
  auto written = hv::mmu::PageLog::Open(attachment.Find(HV_SEGMENT_WRITTEN_PAGES), pages);
  if (!written.ok()) return written.status();
  return hv::mmu::PageLogs{.dirty = *dirty, .written = *written};
}

// The parts of the process in the order in which they are made.
class MmuService {
 public:
  absl::StatusOr<std::unique_ptr<hv::service::Core>> MakeCore(const Attachment& attachment) {
    auto map = ReadMap(attachment.manifest().mmu());
    if (!map.ok()) return map.status();
    auto logs = OpenLogs(attachment);
    if (!logs.ok()) return logs.status();
    logs_ = *logs;
    ram_ = attachment.Find(HV_SEGMENT_GUEST_RAM);
    hv::mmu::MmuCore::Config config{.map = *map, .ram = ram_, .logs = logs_};
    config.table = attachment.FindAs<hv_route_table>(HV_SEGMENT_ROUTE_TABLE);
    if (config.table == nullptr) {
      return absl::InvalidArgumentError("manifest: no route table segment");
    }
    config.on_new_map = [this](const hv::mmu::GuestMap& map) {
      if (watch_ != nullptr) watch_->SetWatched(hv::mmu::WatchedMemory(map, ram_.size()));
    };
    return std::make_unique<hv::mmu::MmuCore>(config);
  }
  absl::Status StartPager(Attachment& attachment, const void* committed) {
    const auto& state = *static_cast<const hv::mmu::State*>(committed);
    auto watch = hv::mmu::StartPager(attachment, hv::mmu::WatchedMemory(state.map, ram_.size()));
    if (!watch.ok()) return watch.status();
    watch_ = *watch;
    return absl::OkStatus();
  }
  std::vector<std::unique_ptr<grpc::Service>> MakeControl(hv::service::StateAccess& state) {
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(std::make_unique<hv::mmu::MmuControl>(state, *logs_, ram_, watch_));
    return services;
  }

 private:
  std::optional<hv::mmu::PageLogs> logs_;
  std::span<std::byte> ram_;
  hv::mmu::WriteWatch* watch_ = nullptr;
};

}  // namespace

int main() {
  MmuService mmu;
  return hv::service::RunService(
      {.role = HV_ROLE_MMU,
       .make_core = [&](const Attachment& attachment) { return mmu.MakeCore(attachment); },
       .extra_services = [&](const Attachment&,
                             hv::service::StateAccess& state) { return mmu.MakeControl(state); },
       .start_threads = [&](Attachment& attachment,
                            const void* state) { return mmu.StartPager(attachment, state); },
       .requests = hv::mmu::UserfaultRequests()});
}
