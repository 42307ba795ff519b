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

// The first slot with `flag` that reaches beyond `address`; null: none does.
const hv_memory_slot* FirstNoted(const GuestMap& map, uint32_t flag, uint64_t address) {
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot& slot = map.slots[i];
    if ((slot.flags & flag) != 0 && slot.address + slot.bytes > address) return &slot;
  }
  return nullptr;
}

// What `log` says of the first range with `flag` from `from` on.
absl::Status ReadPages(const GuestMap& map, uint32_t flag, const PageLog& log, uint64_t from,
                       hv::v1::DirtyPages& pages) {
  if (from % kPageBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("address: 0x", absl::Hex(from), " is not that of a page of 4096 bytes"));
  }
  if (FirstNoted(map, flag, 0) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(flag == HV_MEMORY_WATCHED ? "the write watch" : "dirty logging",
                     " is off; switch it on first"));
  }
  const hv_memory_slot* slot = FirstNoted(map, flag, from);
  if (slot == nullptr) return absl::OkStatus();
  const uint64_t address = std::max(from, slot->address);
  const uint64_t first = (slot->offset + (address - slot->address)) / kPageBytes;
  const uint64_t left = (slot->address + slot->bytes - address) / kPageBytes;
  const uint64_t count = std::min(left, kMaxBitmapPages);
  pages.set_address(address);
  pages.set_bitmap(log.Read(first, count));
  const uint64_t end = address + count * kPageBytes;
  if (const hv_memory_slot* next = FirstNoted(map, flag, end)) {
    pages.set_next_address(std::max(end, next->address));
  }
  return absl::OkStatus();
}

// Pages of one slot, as asked for.
struct AskedPages {
  const hv_memory_slot* slot;
  uint64_t first;  // in the RAM segment
  std::string bitmap;
};

absl::StatusOr<AskedPages> CheckPages(const GuestMap& map, const hv::v1::DirtyPages& pages) {
  const uint64_t address = pages.address();
  const hv_memory_slot* slot = FindSlot(map, address);
  if (slot == nullptr || address % kPageBytes != 0 || pages.bitmap().size() > kMaxBitmapBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("address, bitmap: 0x", absl::Hex(address), " is not that of a page, or ",
                     pages.bitmap().size(), " bytes are more than ", kMaxBitmapBytes));
  }
  const uint64_t left = (slot->address + slot->bytes - address) / kPageBytes;
  if (pages.bitmap().size() > (left + 7) / 8) {
    return absl::InvalidArgumentError(absl::StrCat("bitmap: ", pages.bitmap().size(),
                                                   " bytes for the ", left, " pages left at 0x",
                                                   absl::Hex(address)));
  }
  AskedPages asked{slot, (slot->offset + (address - slot->address)) / kPageBytes, pages.bitmap()};
  if (asked.bitmap.size() * 8 > left) asked.bitmap.back() &= static_cast<char>((1 << left % 8) - 1);
  return asked;
}

absl::Status NoWatch() {
  return absl::FailedPreconditionError("the host pages guest memory, so writes cannot be watched");
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

absl::StatusOr<std::vector<RamPages>> MmuControl::Switch(const hv::v1::MmuSetNotingRequest& request,
                                                         uint32_t flag, PageLog& log) {
  std::vector<RamPages> pages;
  const auto status = ChangeMap([&](GuestMap& map) {
    auto switched = SetNoting(map, {request.address(), request.bytes()}, flag, request.on());
    if (!switched.ok()) return switched.status();
    pages = *std::move(switched);
    // Before the commit: after it a successor would find it on and bits of an earlier time set.
    for (RamPages& piece : pages) {
      piece.first = std::min(piece.first, log.pages());
      piece.count = std::min(piece.count, log.pages() - piece.first);
      if (request.on() && !piece.was_on) log.ClearAll(piece.first, piece.count);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return pages;
}

grpc::Status MmuControl::SetDirtyLogging(grpc::ServerContext*,
                                         const hv::v1::MmuSetNotingRequest* request,
                                         hv::v1::GuestMemory* response) {
  const auto pages = Switch(*request, HV_MEMORY_LOG_DIRTY, logs_.dirty);
  if (!pages.ok()) return service::ToGrpc(pages.status());
  ShowMap(Committed(), *response);
  return grpc::Status::OK;
}

// What is watched is committed first, so that no page is given unprotected once one was protected.
grpc::Status MmuControl::SetWriteWatch(grpc::ServerContext*,
                                       const hv::v1::MmuSetNotingRequest* request,
                                       hv::v1::GuestMemory* response) {
  if (watch_ == nullptr) return service::ToGrpc(NoWatch());
  const auto pages = Switch(*request, HV_MEMORY_WATCHED, logs_.written);
  if (!pages.ok()) return service::ToGrpc(pages.status());
  for (const RamPages& piece : *pages) {
    if (piece.count == 0) continue;
    const Extent extent{piece.first * kPageBytes, (piece.first + piece.count) * kPageBytes};
    if (!request->on()) {
      watch_->Disarm(extent);
    } else if (auto status = watch_->Arm(extent); !status.ok()) {
      return service::ToGrpc(status);
    }
  }
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
                                      const hv::v1::MmuReadPagesRequest* request,
                                      hv::v1::DirtyPages* response) {
  return service::ToGrpc(
      ReadPages(Committed().map, HV_MEMORY_LOG_DIRTY, logs_.dirty, request->address(), *response));
}

grpc::Status MmuControl::ClearDirtyLog(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                                       hv::v1::MmuClearPagesResponse*) {
  const State state = Committed();
  const auto asked = CheckPages(state.map, *request);
  if (!asked.ok()) return service::ToGrpc(asked.status());
  logs_.dirty.Clear(asked->first, asked->bitmap);
  return grpc::Status::OK;
}

grpc::Status MmuControl::ReadWrittenPages(grpc::ServerContext*,
                                          const hv::v1::MmuReadPagesRequest* request,
                                          hv::v1::DirtyPages* response) {
  if (watch_ == nullptr) return service::ToGrpc(NoWatch());
  return service::ToGrpc(
      ReadPages(Committed().map, HV_MEMORY_WATCHED, logs_.written, request->address(), *response));
}

grpc::Status MmuControl::RewatchPages(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                                      hv::v1::MmuClearPagesResponse*) {
  if (watch_ == nullptr) return service::ToGrpc(NoWatch());
  const State state = Committed();
  const auto asked = CheckPages(state.map, *request);
  if (!asked.ok()) return service::ToGrpc(asked.status());
  if ((asked->slot->flags & HV_MEMORY_WATCHED) == 0) {
    return service::ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("address: nothing is watched at 0x", absl::Hex(request->address()))));
  }
  return service::ToGrpc(watch_->Rearm(asked->first, asked->bitmap));
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
