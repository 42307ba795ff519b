#include "service/testing/test_machine.h"

#include <x86intrin.h>

#include "abi/channel.h"
#include "abi/version.h"
#include "base/check.h"
#include "service/machine_clock.h"
#include "service/state_segment.h"

namespace hv::service {
namespace {

constexpr uint64_t kStateBytes = 64 * 1024;
constexpr uint64_t kTscHz = 2'000'000'000;  // near enough: nothing here depends on real time

}  // namespace

TestMachine::Peer::Peer(const ring::ChannelView& view, hv_wake* own, hv_wake* service)
    : producer_(view.outbound), consumer_(view.inbound), sleeper_(own), waker_(service) {}

void TestMachine::Peer::Send(uint16_t kind, uint32_t tag, const void* payload, size_t bytes) {
  CHECK(bytes <= HV_CELL_PAYLOAD_BYTES);
  while (!producer_.HasRoom(1)) sched_yield();
  hv_cell cell{};
  cell.kind = kind;
  cell.tag = tag;
  std::memcpy(cell.payload, payload, bytes);
  producer_.Push(cell);
  waker_.Wake();
}

std::optional<hv_cell> TestMachine::Peer::TryReceive() {
  hv_cell cell;
  if (consumer_.Peek(cell) != ring::PeekResult::kMessage) return std::nullopt;
  consumer_.Advance();
  ring::DirectStores direct;
  consumer_.Acknowledge(direct);
  return cell;
}

std::optional<hv_cell> TestMachine::Peer::Receive(uint64_t timeout_ns) {
  MachineClock clock(0, kTscHz);
  const uint64_t deadline_ns = clock.NowNs() + timeout_ns;
  while (clock.NowNs() < deadline_ns) {
    if (auto cell = TryReceive()) return cell;
    const uint32_t word = sleeper_.Declare();
    if (consumer_.Ready()) {
      sleeper_.Cancel();
    } else {
      sleeper_.Sleep(word, deadline_ns - clock.NowNs());
    }
  }
  return std::nullopt;
}

TestMachine::TestMachine() {
  segments_.reserve(16);
  Segment& state = Add(HV_SEGMENT_STATE, kSelf, 0, "state", HV_STATE_SEGMENT_BYTES(kStateBytes));
  StateSegment::Format(state.mapping.bytes(), HV_ROLE_TIMER, 1);
  auto* budget = Add(HV_SEGMENT_SPIN_BUDGET, 0, 0, "spin", sizeof(hv_spin_budget))
                     .mapping.As<hv_spin_budget>();
  budget->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_SPIN_BUDGET, HV_ABI_MAJOR, HV_ABI_MINOR};
  for (uint32_t endpoint : {kSelf, kVcpuThread, kVcpu, kIoapic}) {
    auto* wake = Add(HV_SEGMENT_WAKE, endpoint, 0, "wake", sizeof(hv_wake)).mapping.As<hv_wake>();
    wake->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_WAKE, HV_ABI_MAJOR, HV_ABI_MINOR};
  }
  Join(kVcpuThread, "vcpu_thread", vcpu_thread_);
  Join(kVcpu, "vcpu_svc", vcpu_);
  Join(kIoapic, "ioapic_svc", ioapic_);
}

TestMachine::Segment& TestMachine::Add(uint32_t kind, uint32_t endpoint, uint32_t peer,
                                       const std::string& name, uint64_t bytes) {
  auto fd = ring::CreateSegment("hv-test-" + name, bytes);
  CHECK(fd.ok());
  auto mapping = ring::Mapping::Map(fd->get(), bytes, true);
  CHECK(mapping.ok());
  segments_.push_back({kind, endpoint, peer, name, bytes, *std::move(fd), *std::move(mapping)});
  return segments_.back();
}

void TestMachine::Join(uint32_t peer, const std::string& name, std::optional<Peer>& end) {
  Segment& channel =
      Add(HV_SEGMENT_CHANNEL, kSelf, peer, "with-" + name, HV_CHANNEL_BYTES(kCapacity));
  ring::FormatChannel(channel.mapping.bytes(), kSelf, peer, 1, kCapacity);
  const auto view = ring::OpenChannel(channel.mapping.bytes(), peer, kSelf);
  CHECK(view.ok());
  end.emplace(*view, Wake(peer), Wake(kSelf));
}

hv_wake* TestMachine::Wake(uint32_t endpoint) {
  for (Segment& segment : segments_) {
    if (segment.kind == HV_SEGMENT_WAKE && segment.endpoint == endpoint) {
      return segment.mapping.As<hv_wake>();
    }
  }
  CHECK(false);
}

hv::v1::Manifest TestMachine::Manifest(uint32_t epoch, int control, std::vector<int>& fds) const {
  hv::v1::Manifest manifest;
  manifest.set_abi_major(HV_ABI_MAJOR);
  manifest.set_abi_minor(HV_ABI_MINOR);
  manifest.set_machine("test");
  manifest.set_endpoint(kSelf);
  manifest.set_epoch(epoch);
  manifest.set_tsc_hz(kTscHz);
  for (const Segment& from : segments_) {
    auto& segment = *manifest.add_segments();
    segment.set_kind(from.kind);
    segment.set_fd(static_cast<uint32_t>(fds.size()));
    segment.set_bytes(from.bytes);
    segment.set_writable(true);
    segment.set_endpoint(from.endpoint);
    segment.set_peer(from.peer);
    fds.push_back(from.fd.get());
  }
  manifest.set_control_fd(static_cast<uint32_t>(fds.size()));
  fds.push_back(control);
  return manifest;
}

void TestMachine::SetEpoch(uint32_t epoch) {
  ring::DirectStores direct;
  ring::StoreRelaxed(state().epoch, epoch, direct);
}

std::vector<std::string> TestMachine::SegmentNames() const {
  std::vector<std::string> names;
  for (const Segment& segment : segments_) names.push_back("/memfd:hv-test-" + segment.name);
  return names;
}

}  // namespace hv::service
