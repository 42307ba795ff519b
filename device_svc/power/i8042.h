// The keyboard controller of an AT (8042, ports 60H and 64H) with nothing plugged in: what guests
// probe, and the reset line they pull.
#pragma once

#include <cstdint>

namespace hv::power {

// Plain data.
struct I8042State {
  uint8_t configuration;  // the command byte
  uint8_t output;         // what port 60H reads
  uint8_t status;         // port 64H but for the system flag, which is in the command byte
  uint8_t awaiting_data;  // the command whose data byte comes next; 0: none
};

// It has one port, for a keyboard that never answers, and raises no interrupt. A command is done
// when it has been written, so the input buffer is always empty.
class I8042 {
 public:
  explicit I8042(I8042State& state) : s_(state) {}

  void Reset();

  uint8_t ReadStatus() const;
  uint8_t ReadData();
  // True: the reset line is pulled.
  [[nodiscard]] bool WriteCommand(uint8_t command);
  [[nodiscard]] bool WriteData(uint8_t value);

  // Drops bits that the registers do not have.
  void Sanitize();

 private:
  void Answer(uint8_t value, uint8_t flags = 0);

  I8042State& s_;
};

}  // namespace hv::power
