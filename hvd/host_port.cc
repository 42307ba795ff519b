#include "hvd/host_port.h"

#include <algorithm>
#include <cstring>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "service/admission.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);
constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kPower = HV_ENDPOINT(HV_ROLE_POWER, 0);
// Cells taken before other work gets its turn.
constexpr int kBurst = 1024;
// A serial port that claims to take more than this lies; what it gets is bounded anyway.
constexpr uint32_t kMostInputCredit = 1 << 20;

absl::StatusOr<ring::Mapping> MapWritable(const OwnedSegment* segment) {
  CHECK(segment != nullptr);
  return ring::Mapping::Map(segment->fd.get(), segment->bytes, /*writable=*/true);
}

}  // namespace

absl::StatusOr<HostPort::Link> HostPort::OpenLink(const SegmentSet& segments, uint32_t peer) {
  auto channel = MapWritable(segments.Find(HV_SEGMENT_CHANNEL, peer, kHost));
  if (!channel.ok()) return channel.status();
  auto wake = MapWritable(segments.Find(HV_SEGMENT_WAKE, peer));
  if (!wake.ok()) return wake.status();
  auto view = ring::OpenChannel(channel->bytes(), kHost, peer);
  if (!view.ok()) return view.status();
  return Link{*std::move(channel), *std::move(wake), *view};
}

absl::StatusOr<HostPort> HostPort::Open(const SegmentSet& segments) {
  auto own_wake = MapWritable(segments.Find(HV_SEGMENT_WAKE, kHost));
  if (!own_wake.ok()) return own_wake.status();
  auto serial = OpenLink(segments, kSerial);
  if (!serial.ok()) return serial.status();
  auto power = OpenLink(segments, kPower);
  if (!power.ok()) return power.status();
  return HostPort(*std::move(own_wake), *std::move(serial), *std::move(power));
}

HostPort::HostPort(ring::Mapping own_wake, Link serial, Link power)
    : own_wake_(std::move(own_wake)),
      serial_(std::move(serial)),
      power_(std::move(power)),
      from_serial_(serial_.view.inbound),
      to_serial_(serial_.view.outbound),
      to_power_(power_.view.outbound) {}

bool HostPort::Turn(ConsoleHub& hub) {
  bool worked = TakeOutput(hub);
  worked |= GrantCredit();
  worked |= SendInput(hub);
  return worked;
}

bool HostPort::TakeOutput(ConsoleHub& hub) {
  bool worked = false;
  size_t room = hub.Room(ConsoleHub::Clock::now());
  for (int i = 0; i < kBurst && room >= HV_BYTES_MAX; ++i) {
    hv_cell cell;
    const ring::PeekResult result = from_serial_.Peek(cell);
    if (result == ring::PeekResult::kEmpty || result == ring::PeekResult::kBadStamp) break;
    if (result != ring::PeekResult::kMessage || !Accept(cell, hub)) ++refused_;
    from_serial_.Advance();
    room -= HV_BYTES_MAX;
    worked = true;
  }
  ring::DirectStores stores;
  from_serial_.Acknowledge(stores);
  return worked;
}

bool HostPort::Accept(const hv_cell& cell, ConsoleHub& hub) {
  if (!service::MayReceive(HV_ROLE_SERIAL, HV_ROLE_HOST, cell.kind)) return false;
  if (cell.kind == HV_KIND_CONSOLE_CREDIT) {
    hv_credit credit;
    std::memcpy(&credit, cell.payload, sizeof(credit));
    input_credit_ =
        std::min(kMostInputCredit, input_credit_ + std::min(kMostInputCredit, credit.bytes));
    return true;
  }
  hv_bytes bytes;
  std::memcpy(&bytes, cell.payload, sizeof(bytes));
  if (bytes.length == 0 || bytes.length > HV_BYTES_MAX) return false;
  hub.Append({reinterpret_cast<const char*>(bytes.bytes), bytes.length});
  ungranted_ += bytes.length;
  return true;
}

bool HostPort::GrantCredit() {
  if (ungranted_ == 0 || !to_serial_.HasRoom(1)) return false;
  const hv_credit credit{.bytes =
                             static_cast<uint32_t>(std::min<uint64_t>(ungranted_, UINT32_MAX))};
  ungranted_ -= credit.bytes;
  Send(to_serial_, HV_KIND_CONSOLE_CREDIT, credit, ring::Waker(serial_.wake.As<hv_wake>()));
  return true;
}

bool HostPort::SendInput(ConsoleHub& hub) {
  bool worked = false;
  while (input_credit_ > 0 && to_serial_.HasRoom(1)) {
    const std::string input = hub.TakeInput(std::min(input_credit_, HV_BYTES_MAX));
    if (input.empty()) break;
    hv_bytes bytes{.length = static_cast<uint32_t>(input.size())};
    std::memcpy(bytes.bytes, input.data(), input.size());
    input_credit_ -= bytes.length;
    Send(to_serial_, HV_KIND_CONSOLE_INPUT, bytes, ring::Waker(serial_.wake.As<hv_wake>()));
    worked = true;
  }
  return worked;
}

bool HostPort::PressPowerButton() {
  if (!to_power_.HasRoom(1)) return false;
  Send(to_power_, HV_KIND_POWER_BUTTON, uint8_t{0}, ring::Waker(power_.wake.As<hv_wake>()));
  return true;
}

template <typename T>
void HostPort::Send(ring::Producer& producer, uint16_t kind, const T& payload, ring::Waker waker) {
  hv_cell cell{};
  cell.kind = kind;
  std::memcpy(cell.payload, &payload, sizeof(payload));
  producer.Push(cell);
  waker.Wake();
}

}  // namespace hv::hvd
