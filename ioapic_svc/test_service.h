// A whole ioapic_svc for tests: messages go in as its peers would send them, what it sends is kept.
#pragma once

#include <vector>

#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "ioapic_svc/ioapic_core.h"

namespace hv::ioapic {

class TestService {
 public:
  static constexpr uint32_t kCpu = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
  static constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
  static constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);

  TestService() {
    service::Actions actions;
    core().Reset(&state, 0, actions);
  }

  // Any message; what it caused is in `sent`, appended.
  bool Handle(const service::Message& message) {
    service::Actions actions;
    const bool known = core().Handle(&state, message, 0, actions);
    sent.insert(sent.end(), actions.messages().begin(), actions.messages().end());
    return known;
  }
  template <typename T>
  bool Send(uint32_t from, uint16_t kind, const T& payload, uint32_t tag = 0) {
    return Handle({.from = from,
                   .kind = kind,
                   .tag = tag,
                   .payload = service::Outgoing::Of(0, kind, tag, payload).payload});
  }

  bool Line(uint32_t gsi, bool level, uint32_t from = kTimer) {
    return Send(from, HV_KIND_LINE, hv_line{.gsi = gsi, .level = level ? 1u : 0u});
  }
  void Pulse(uint32_t gsi) {
    Line(gsi, true);
    Line(gsi, false);
  }
  uint64_t Read(hv_space space, uint64_t address, uint8_t width) {
    Send(kCpu, HV_KIND_READ, Access(space, address, width, 0), 1);
    return TakeAnswer(HV_KIND_READ_DONE);
  }
  void Write(hv_space space, uint64_t address, uint8_t width, uint64_t data) {
    Send(kCpu, HV_KIND_WRITE, Access(space, address, width, data), 1);
    TakeAnswer(HV_KIND_WRITE_DONE);
  }
  uint8_t In(uint16_t port) { return static_cast<uint8_t>(Read(HV_SPACE_PORT, port, 1)); }
  void Out(uint16_t port, uint8_t value) { Write(HV_SPACE_PORT, port, 1, value); }
  uint32_t ReadIoapic(uint8_t index) {
    Write(HV_SPACE_MMIO, HV_IOAPIC_BASE, 4, index);
    return static_cast<uint32_t>(Read(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x10, 4));
  }
  void WriteIoapic(uint8_t index, uint32_t value) {
    Write(HV_SPACE_MMIO, HV_IOAPIC_BASE, 4, index);
    Write(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x10, 4, value);
  }
  void SetEntry(uint32_t input, uint64_t entry) {
    WriteIoapic(static_cast<uint8_t>(0x11 + 2 * input), static_cast<uint32_t>(entry >> 32));
    WriteIoapic(static_cast<uint8_t>(0x10 + 2 * input), static_cast<uint32_t>(entry));
  }
  // As Linux does: vectors 30H to 3FH, all unmasked.
  void InitializePics() {
    Out(0x20, 0x11), Out(0x21, 0x30), Out(0x21, 0x04), Out(0x21, 0x01);
    Out(0xa0, 0x11), Out(0xa1, 0x38), Out(0xa1, 0x02), Out(0xa1, 0x01);
  }

  // Takes what has been sent of `kind` out of `sent`.
  template <typename T>
  std::vector<T> Take(uint16_t kind) {
    std::vector<T> taken;
    std::vector<service::Outgoing> others;
    for (const service::Outgoing& message : sent) {
      if (message.kind == kind) {
        taken.push_back(message.As<T>());
      } else {
        others.push_back(message);
      }
    }
    sent = std::move(others);
    return taken;
  }
  std::vector<hv_interrupt> Interrupts() { return Take<hv_interrupt>(HV_KIND_INTERRUPT); }
  std::vector<hv_intr> Intrs() { return Take<hv_intr>(HV_KIND_INTR); }

  static hv_access Access(hv_space space, uint64_t address, uint8_t width, uint64_t data) {
    return {.address = address, .data = data, .width = width, .space = static_cast<uint8_t>(space)};
  }
  service::Core& core() { return core_; }

  State state{};
  std::vector<service::Outgoing> sent;

 private:
  uint64_t TakeAnswer(uint16_t kind) {
    const auto answers = Take<hv_access_done>(kind);
    return answers.size() == 1 ? answers[0].data : 0xdeadbeefdeadbeef;
  }

  IoapicCore core_;
};

}  // namespace hv::ioapic
