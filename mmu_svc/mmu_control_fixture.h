// MmuControl as hvd uses it, over a state, logs and RAM that the test looks into.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "abi/route_table.h"
#include "gtest/gtest.h"
#include "mmu_svc/mmu_control.h"
#include "mmu_svc/pager/fake_guest_memory.h"

namespace hv::mmu {

inline constexpr uint64_t kPages = 64;
inline constexpr uint64_t kHigh = 0x100000000;
inline constexpr Window kWindow{.address = 0x7f0000000000, .bytes = kPages * kPageBytes};

// The state without a service: a change that is OK is committed, any other leaves no trace.
class FakeStateAccess : public service::StateAccess {
 public:
  void Look(const std::function<void(const void*)>& look) override { look(&state); }
  absl::Status Change(const std::function<absl::Status(void*)>& change) override {
    State copy = state;
    absl::Status status = change(&copy);
    if (before_commit) before_commit();
    if (status.ok() && !dies_before_commit) state = copy;
    return status;
  }
  State state{};
  bool dies_before_commit = false;
  std::function<void()> before_commit;
};

// 32 pages of RAM at 0 and 32 at 4 GiB.
class MmuControlFixture : public testing::Test {
 protected:
  MmuControlFixture()
      : ram_(kPages * 512),
        log_memory_(sizeof(hv_dirty_log) / 8 + kPages / 64),
        written_memory_(log_memory_) {
    State& state = access_.state;
    state.generation = 2;
    state.map.slot_count = 2;
    state.map.slots[0] = {.address = 0, .bytes = 32 * kPageBytes, .offset = 0};
    state.map.slots[1] = {.address = kHigh, .bytes = 32 * kPageBytes, .offset = 32 * kPageBytes};
    state.map.route_count = 1;
    state.map.routes[0] = {0xfed00000,
                           0xfed003ff,
                           HV_ENDPOINT(HV_ROLE_TIMER, 0),
                           HV_SPACE_MMIO,
                           HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES,
                           0};
  }

  template <typename T>
  static std::span<std::byte> BytesOf(std::vector<T>& memory) {
    return {reinterpret_cast<std::byte*>(memory.data()), memory.size() * sizeof(T)};
  }
  static PageLog Open(std::vector<uint64_t>& memory) {
    return PageLog::Open(BytesOf(memory), kPages).value();
  }
  uint64_t& log() { return log_memory_.back(); }
  uint64_t& written() { return written_memory_.back(); }

  grpc::Status LogDirty(bool on, uint64_t address = 0, uint64_t bytes = 0) {
    hv::v1::MmuSetNotingRequest request;
    request.set_address(address);
    request.set_bytes(bytes);
    request.set_on(on);
    shown_.Clear();
    return control_.SetDirtyLogging(nullptr, &request, &shown_);
  }
  grpc::Status Watch(bool on, uint64_t address = 0, uint64_t bytes = 0) {
    hv::v1::MmuSetNotingRequest request;
    request.set_address(address);
    request.set_bytes(bytes);
    request.set_on(on);
    shown_.Clear();
    return control_.SetWriteWatch(nullptr, &request, &shown_);
  }
  grpc::Status ReadWritten(uint64_t address) {
    hv::v1::MmuReadPagesRequest request;
    request.set_address(address);
    dirty_.Clear();
    return control_.ReadWrittenPages(nullptr, &request, &dirty_);
  }
  grpc::Status Rewatch(const hv::v1::DirtyPages& pages) {
    hv::v1::MmuClearPagesResponse response;
    return control_.RewatchPages(nullptr, &pages, &response);
  }
  grpc::Status Protect(bool on, uint64_t address, uint64_t bytes) {
    hv::v1::MmuSetWriteProtectionRequest request;
    request.set_address(address);
    request.set_bytes(bytes);
    request.set_on(on);
    shown_.Clear();
    return control_.SetWriteProtection(nullptr, &request, &shown_);
  }
  grpc::Status Read(uint64_t address) {
    hv::v1::MmuReadPagesRequest request;
    request.set_address(address);
    dirty_.Clear();
    return control_.ReadDirtyLog(nullptr, &request, &dirty_);
  }
  grpc::Status Clear(const hv::v1::DirtyPages& pages) {
    hv::v1::MmuClearPagesResponse response;
    return control_.ClearDirtyLog(nullptr, &pages, &response);
  }

  FakeStateAccess access_;
  std::vector<uint64_t> ram_;
  std::vector<uint64_t> log_memory_;
  std::vector<uint64_t> written_memory_;
  PageLogs logs_{.dirty = Open(log_memory_), .written = Open(written_memory_)};
  FakeGuestMemory memory_{kWindow};
  WriteWatch watch_{memory_, kWindow, logs_.written, {}};
  MmuControl control_{access_, logs_, BytesOf(ram_), &watch_};
  hv::v1::GuestMemory shown_;
  hv::v1::DirtyPages dirty_;
};

}  // namespace hv::mmu
