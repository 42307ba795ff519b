#include "mmu_svc/mmu_control.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "mmu_svc/map_change.h"
#include "mmu_svc/memory_view.h"
#include "mmu_svc/page_walker.h"
#include "service/grpc_status.h"

namespace hv::mmu {
namespace {

// Of one answer, and the most one request may clear: 2 GiB of guest memory.
constexpr uint64_t kMaxBitmapBytes = 65536;
constexpr uint64_t kMaxBitmapPages = kMaxBitmapBytes * 8;

bool SameSlots(const GuestMap& a, const GuestMap& b) {
  return a.slot_count == b.slot_count &&
         std::memcmp(a.slots, b.slots, a.slot_count * sizeof(a.slots[0])) == 0;
}

// The first slot with its log on that reaches beyond `address`; null: none does.
const hv_memory_slot* FirstLogged(const GuestMap& map, uint64_t address) {
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot& slot = map.slots[i];
    if ((slot.flags & HV_MEMORY_LOG_DIRTY) != 0 && slot.address + slot.bytes > address) {
      return &slot;
    }
  }
  return nullptr;
}

}  // namespace

State MmuControl::Committed() {
  State copy;
  state_.Look([&](const void* state) { copy = *static_cast<const State*>(state); });
  return copy;
}

absl::Status MmuControl::ChangeMap(const std::function<absl::Status(GuestMap&)>& change) {
  return state_.Change([&](void* bytes) {
    State& state = *static_cast<State*>(bytes);
    const GuestMap before = state.map;
    if (auto status = change(state.map); !status.ok()) return status;
    if (!SameSlots(before, state.map)) state.generation = NextGeneration(state.generation);
    return absl::OkStatus();
  });
}

grpc::Status MmuControl::GetMap(grpc::ServerContext*, const hv::v1::MmuGetMapRequest*,
                                hv::v1::GuestMemory* response) {
  ShowMap(Committed(), *response);
  return grpc::Status::OK;
}

grpc::Status MmuControl::SetDirtyLogging(grpc::ServerContext*,
                                         const hv::v1::MmuSetDirtyLoggingRequest* request,
                                         hv::v1::GuestMemory* response) {
  const auto status = ChangeMap([&](GuestMap& map) {
    const auto begun =
        mmu::SetDirtyLogging(map, {request->address(), request->bytes()}, request->on());
    if (!begun.ok()) return begun.status();
    // Before the commit: after it a successor would find logging on and bits of an earlier log set.
    for (const RamPages& pages : *begun) {
      const uint64_t first = std::min(pages.first, log_.pages());
      log_.ClearAll(first, std::min(pages.count, log_.pages() - first));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return service::ToGrpc(status);
  ShowMap(Committed(), *response);
  return grpc::Status::OK;
}

grpc::Status MmuControl::SetWriteProtection(grpc::ServerContext*,
                                            const hv::v1::MmuSetWriteProtectionRequest* request,
                                            hv::v1::GuestMemory* response) {
  const auto status = ChangeMap([&](GuestMap& map) {
    return mmu::SetWriteProtection(map, {request->address(), request->bytes()}, request->on());
  });
  if (!status.ok()) return service::ToGrpc(status);
  ShowMap(Committed(), *response);
  return grpc::Status::OK;
}

grpc::Status MmuControl::ReadDirtyLog(grpc::ServerContext*,
                                      const hv::v1::MmuReadDirtyLogRequest* request,
                                      hv::v1::DirtyPages* response) {
  if (request->address() % kPageBytes != 0) {
    return service::ToGrpc(absl::InvalidArgumentError(absl::StrCat(
        "address: 0x", absl::Hex(request->address()), " is not that of a page of 4096 bytes")));
  }
  const State state = Committed();
  if (FirstLogged(state.map, 0) == nullptr) {
    return service::ToGrpc(
        absl::FailedPreconditionError("dirty logging is off; switch it on first"));
  }
  const hv_memory_slot* slot = FirstLogged(state.map, request->address());
  if (slot == nullptr) return grpc::Status::OK;
  const uint64_t address = std::max(request->address(), slot->address);
  const uint64_t first = (slot->offset + (address - slot->address)) / kPageBytes;
  const uint64_t left = (slot->address + slot->bytes - address) / kPageBytes;
  const uint64_t count = std::min(left, kMaxBitmapPages);
  response->set_address(address);
  response->set_bitmap(log_.Read(first, count));
  const uint64_t end = address + count * kPageBytes;
  if (const hv_memory_slot* next = FirstLogged(state.map, end)) {
    response->set_next_address(std::max(end, next->address));
  }
  return grpc::Status::OK;
}

grpc::Status MmuControl::ClearDirtyLog(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                                       hv::v1::MmuClearDirtyLogResponse*) {
  const State state = Committed();
  const uint64_t address = request->address();
  const hv_memory_slot* slot = FindSlot(state.map, address);
  if (slot == nullptr || address % kPageBytes != 0 || request->bitmap().size() > kMaxBitmapBytes) {
    return service::ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("address, bitmap: 0x", absl::Hex(address), " is not that of a page, or ",
                     request->bitmap().size(), " bytes are more than ", kMaxBitmapBytes)));
  }
  const uint64_t pages = (slot->address + slot->bytes - address) / kPageBytes;
  if (request->bitmap().size() > (pages + 7) / 8) {
    return service::ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("bitmap: ", request->bitmap().size(), " bytes for the ", pages,
                     " pages left at 0x", absl::Hex(address))));
  }
  std::string bitmap = request->bitmap();
  if (bitmap.size() * 8 > pages) bitmap.back() &= static_cast<char>((1 << pages % 8) - 1);
  log_.Clear((slot->offset + (address - slot->address)) / kPageBytes, bitmap);
  return grpc::Status::OK;
}

grpc::Status MmuControl::Translate(grpc::ServerContext*, const hv::v1::MmuTranslateRequest* request,
                                   hv::v1::Translation* response) {
  const State state = Committed();
  const PagingRegisters registers(request->cr0(), request->cr3(), request->cr4(), request->efer());
  const GuestRam ram(state.map, ram_);
  const Walk walk = WalkPageTables(registers, ram, request->linear());
  ShowWalk(request->linear(), registers.mode(), walk, state.map, *response);
  return grpc::Status::OK;
}

}  // namespace hv::mmu
