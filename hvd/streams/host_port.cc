#include "hvd/streams/host_port.h"

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

template <typename T>
hv_cell Cell(uint16_t kind, const T& payload) {
  hv_cell cell{};
  cell.kind = kind;
  std::memcpy(cell.payload, &payload, sizeof(payload));
  return cell;
}

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
  return Reopen(segments, {.input_credit = kFirstInputCredit});
}

absl::StatusOr<HostPort> HostPort::Reopen(const SegmentSet& segments,
                                          const PortPosition& position) {
  auto own_wake = MapWritable(segments.Find(HV_SEGMENT_WAKE, kHost));
  if (!own_wake.ok()) return own_wake.status();
  auto serial = OpenLink(segments, kSerial);
  if (!serial.ok()) return serial.status();
  auto power = OpenLink(segments, kPower);
  if (!power.ok()) return power.status();
  HostPort port(*std::move(own_wake), *std::move(serial), *std::move(power), position);
  port.RecoverSent();
  return port;
}

HostPort::HostPort(ring::Mapping own_wake, Link serial, Link power, const PortPosition& position)
    : own_wake_(std::move(own_wake)),
      serial_(std::move(serial)),
      power_(std::move(power)),
      from_serial_(serial_.view.inbound, position.taken),
      to_serial_(serial_.view.outbound, position.sent),
      to_power_(power_.view.outbound, ring::Producer::RecoverPosition(power_.view.outbound)),
      position_(position) {}

void HostPort::RecoverSent() {
  hv_cell cell;
  const ring::Consumer sent(serial_.view.outbound, position_.sent);
  if (sent.Peek(cell) == ring::PeekResult::kMessage) {
    if (cell.kind == HV_KIND_CONSOLE_CREDIT) {
      hv_credit credit;
      std::memcpy(&credit, cell.payload, sizeof(credit));
      position_.ungranted -= std::min<uint64_t>(position_.ungranted, credit.bytes);
    } else if (cell.kind == HV_KIND_CONSOLE_INPUT) {
      hv_bytes bytes;
      std::memcpy(&bytes, cell.payload, sizeof(bytes));
      position_.input_credit -= std::min(position_.input_credit, bytes.length);
    }
    to_serial_ = ring::Producer(serial_.view.outbound, ++position_.sent);
  }
  // It may have died between a message and the wake-up for it.
  ring::Waker(serial_.wake.As<hv_wake>()).Wake();
  ring::Waker(power_.wake.As<hv_wake>()).Wake();
}

bool HostPort::Turn(ConsoleHub& hub) {
  bool worked = TakeOutput(hub);
  worked |= GrantCredit(hub);
  worked |= SendInput(hub);
  return worked;
}

bool HostPort::TakeOutput(ConsoleHub& hub) {
  bool worked = false;
  size_t room = hub.Room(ConsoleHub::Clock::now());
  for (int i = 0; i < kBurst && room >= HV_BYTES_MAX; ++i) {
    hv_cell cell;
    const ring::PeekResult result = from_serial_.Peek(cell);
    if (result == ring::PeekResult::kBadStamp) CountBadStamp();
    if (result == ring::PeekResult::kEmpty || result == ring::PeekResult::kBadStamp) break;
    std::string output;
    if (result == ring::PeekResult::kBadEpoch) {
      Count(HV_REFUSAL_EPOCH);
    } else if (!service::MayReceive(HV_ROLE_SERIAL, HV_ROLE_HOST, cell.kind)) {
      Count(HV_REFUSAL_KIND);
    } else if (!Accept(cell, output)) {
      Count(HV_REFUSAL_CONTENT);
    }
    from_serial_.Advance();
    position_.taken = from_serial_.position();
    hub.Append(output, position_);
    room -= HV_BYTES_MAX;
    worked = true;
  }
  if (worked) hub.Announce();
  ring::DirectStores stores;
  from_serial_.Acknowledge(stores);
  return worked;
}

void HostPort::Count(hv_refusal why) {
  ring::DirectStores direct;
  ring::StoreRelaxed(refused_[why], refused_[why] + 1, direct);
}

// Once for each place, not once for each look.
void HostPort::CountBadStamp() {
  if (bad_stamp_at_ == from_serial_.position()) return;
  bad_stamp_at_ = from_serial_.position();
  Count(HV_REFUSAL_STAMP);
}

bool HostPort::Accept(const hv_cell& cell, std::string& output) {
  if (cell.kind == HV_KIND_CONSOLE_CREDIT) {
    hv_credit credit;
    std::memcpy(&credit, cell.payload, sizeof(credit));
    position_.input_credit = std::min(
        kMostInputCredit, position_.input_credit + std::min(kMostInputCredit, credit.bytes));
    return true;
  }
  hv_bytes bytes;
  std::memcpy(&bytes, cell.payload, sizeof(bytes));
  if (bytes.length == 0 || bytes.length > HV_BYTES_MAX) return false;
  output.assign(reinterpret_cast<const char*>(bytes.bytes), bytes.length);
  position_.ungranted += bytes.length;
  return true;
}

bool HostPort::GrantCredit(ConsoleHub& hub) {
  if (position_.ungranted == 0 || !to_serial_.HasRoom(1)) return false;
  const hv_credit credit{
      .bytes = static_cast<uint32_t>(std::min<uint64_t>(position_.ungranted, UINT32_MAX))};
  position_.ungranted -= credit.bytes;
  SendSerial(hub, HV_KIND_CONSOLE_CREDIT, credit);
  return true;
}

bool HostPort::SendInput(ConsoleHub& hub) {
  bool worked = false;
  while (position_.input_credit > 0 && to_serial_.HasRoom(1)) {
    const std::string input = hub.TakeInput(std::min(position_.input_credit, HV_BYTES_MAX));
    if (input.empty()) break;
    hv_bytes bytes{.length = static_cast<uint32_t>(input.size())};
    std::memcpy(bytes.bytes, input.data(), input.size());
    position_.input_credit -= bytes.length;
    SendSerial(hub, HV_KIND_CONSOLE_INPUT, bytes);
    worked = true;
  }
  return worked;
}

template <typename T>
void HostPort::SendSerial(ConsoleHub& hub, uint16_t kind, const T& payload) {
  to_serial_.Push(Cell(kind, payload));
  position_.sent = to_serial_.position();
  hub.Append("", position_);
  ring::Waker(serial_.wake.As<hv_wake>()).Wake();
}

bool HostPort::PressPowerButton() {
  if (!to_power_.HasRoom(1)) return false;
  to_power_.Push(Cell(HV_KIND_POWER_BUTTON, uint8_t{0}));
  ring::Waker(power_.wake.As<hv_wake>()).Wake();
  return true;
}

}  // namespace hv::hvd
