// serial_svc as a state machine: a UART between the guest's ports and the host's console.
#pragma once

#include <cstdint>

#include "device_svc/serial/uart.h"
#include "service/core.h"

namespace hv::serial {

// Plain data: the whole of the state.
struct State {
  UartState uart;
  uint32_t credit;      // bytes the host still takes
  uint32_t uncredited;  // bytes taken from the host that it has not got credit for yet
  uint32_t line;        // as last told to ioapic_svc
  uint32_t reserved;
  uint64_t pulse_at_ns;  // when the line, if it still stands, is told anew; service::kNever: not
};

class SerialCore final : public service::TypedCore<State> {
 public:
  // Bytes the host takes before it has granted any.
  static constexpr uint32_t kInitialCredit = 16384;
  // Bytes the host may send before it has been granted any.
  static constexpr uint32_t kInputCredit = 64;
  // The host gets credit back in lots of at least this, not by the character.
  static constexpr uint32_t kCreditLot = kInputCredit / 2;
  // What one character takes at 115200 baud, start and stop bit included.
  static constexpr uint64_t kCharacterNs = 86'806;

  struct Config {
    uint16_t port;
    uint32_t gsi;
  };
  explicit SerialCore(Config config) : config_(config) {}

  uint32_t state_layout() const override { return 2; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;

 private:
  uint64_t Read(State& state, const hv_access& access) const;
  void Write(State& state, const hv_access& access) const;
  bool Input(State& state, const service::Message& message) const;
  void MoveCharacters(State& state, service::Actions& actions) const;
  void TellLine(State& state, bool level, service::Actions& actions) const;
  bool IsData(const hv_access& access) const;

  const Config config_;
};

}  // namespace hv::serial
