#include "hvd/machine/machine_memory.h"

#include <sys/stat.h>

#include <cstring>

#include "abi/vcpu_state.h"
#include "absl/strings/str_cat.h"
#include "hvd/machine/paging_view.h"
#include "hvd/supervision/write_registration.h"

namespace hv::hvd {
namespace {

// Of one answer: 1 MiB of bitmaps, below what gRPC takes as one message.
constexpr int kMaxRanges = 16;
constexpr uint64_t kBlockBytes = 512;  // what st_blocks counts

uint64_t CountBits(const std::string& bitmap) {
  uint64_t count = 0;
  for (const char byte : bitmap) count += __builtin_popcount(static_cast<unsigned char>(byte));
  return count;
}

// What is noted from `address` on, of as many ranges as one answer has, cleared as it is read.
template <typename Read, typename Clear>
absl::StatusOr<hv::v1::TakeDirtyLogResponse> TakePages(uint64_t address, Read read, Clear clear) {
  hv::v1::TakeDirtyLogResponse response;
  do {
    absl::StatusOr<hv::v1::DirtyPages> range = read(address);
    if (!range.ok()) return range.status();
    if (range->bitmap().empty()) {  // nothing is noted from there on
      address = 0;
      break;
    }
    // Whether it was done before a death nobody knows. What was read is reported in any case.
    const absl::Status cleared = clear(*range);
    if (!cleared.ok() && !absl::IsUnavailable(cleared)) return cleared;
    address = range->next_address();
    response.set_dirty_pages(response.dirty_pages() + CountBits(range->bitmap()));
    *response.add_ranges() = *std::move(range);
  } while (address != 0 && response.ranges_size() < kMaxRanges);
  response.set_next_address(address);
  return response;
}

}  // namespace

uint64_t MachineMemory::AllocatedBytes() const {
  struct stat info;
  return fstat(ram_, &info) == 0 ? static_cast<uint64_t>(info.st_blocks) * kBlockBytes : 0;
}

absl::StatusOr<hv::v1::GuestMemory> MachineMemory::Show() {
  auto memory = mmu_.GetMap();
  if (memory.ok()) ShowHostSide(*memory);
  return memory;
}

void MachineMemory::ShowCounters(
    google::protobuf::RepeatedPtrField<hv::v1::Counter>& counters) const {
  ShowPagingCounters(paging_, pager_, counters);
}

void MachineMemory::ShowHostSide(hv::v1::GuestMemory& memory) const {
  memory.set_allocated_bytes(AllocatedBytes());
  ShowPaging(paging_, pager_, memory);
}

// Has hv_kernel follow a change of the map.
absl::StatusOr<hv::v1::GuestMemory> MachineMemory::InForce(
    absl::StatusOr<hv::v1::GuestMemory> changed) {
  if (!changed.ok()) return changed;
  if (auto status = kernel_.ReloadMap(); !status.ok()) return status;
  ShowHostSide(*changed);
  return changed;
}

absl::StatusOr<hv::v1::GuestMemory> MachineMemory::SetDirtyLogging(uint64_t address, uint64_t bytes,
                                                                   bool on) {
  return InForce(mmu_.SetDirtyLogging(address, bytes, on));
}

absl::StatusOr<hv::v1::GuestMemory> MachineMemory::SetWriteProtection(uint64_t address,
                                                                      uint64_t bytes, bool on) {
  return InForce(mmu_.SetWriteProtection(address, bytes, on));
}

// Read, clear what was read, begin a new round. A page written meanwhile through a TLB that has let
// writes through since before is one of those read; its bit is set anew after the new round began.
absl::StatusOr<hv::v1::TakeDirtyLogResponse> MachineMemory::TakeDirtyLog(uint64_t address) {
  auto taken = TakePages(
      address, [this](uint64_t from) { return mmu_.ReadDirtyLog(from); },
      [this](const hv::v1::DirtyPages& pages) { return mmu_.ClearDirtyLog(pages); });
  if (!taken.ok()) return taken;
  if (auto status = kernel_.ReloadMap(); !status.ok()) return status;
  return taken;
}

// In force without hv_kernel, which knows nothing of it.
absl::StatusOr<hv::v1::GuestMemory> MachineMemory::SetWriteWatch(uint64_t address, uint64_t bytes,
                                                                 bool on) {
  const auto possible = on ? RegisterForWrites(paging_, pager_) : CheckWatchable(paging_, pager_);
  if (!possible.ok()) return possible;
  auto changed = mmu_.SetWriteWatch(address, bytes, on);
  if (changed.ok()) ShowHostSide(*changed);
  return changed;
}

absl::StatusOr<hv::v1::TakeDirtyLogResponse> MachineMemory::TakeWrittenPages(uint64_t address) {
  if (auto status = CheckWatchable(paging_, pager_); !status.ok()) return status;
  return TakePages(
      address, [this](uint64_t from) { return mmu_.ReadWrittenPages(from); },
      [this](const hv::v1::DirtyPages& pages) { return mmu_.RewatchPages(pages); });
}

absl::StatusOr<hv::v1::Translation> MachineMemory::Translate(const std::string& vcpu_state,
                                                             uint64_t linear) {
  hv_vcpu_state state;
  if (vcpu_state.size() != sizeof(state)) {
    return absl::InternalError(
        absl::StrCat("registers: ", vcpu_state.size(), " bytes, ", sizeof(state), " expected"));
  }
  std::memcpy(&state, vcpu_state.data(), sizeof(state));
  hv::v1::MmuTranslateRequest request;
  request.set_linear(linear);
  request.set_cr0(state.cr0);
  request.set_cr3(state.cr3);
  request.set_cr4(state.cr4);
  request.set_efer(state.efer);
  return mmu_.Translate(request);
}

}  // namespace hv::hvd
