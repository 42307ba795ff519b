// A machine's console between its serial port and whoever looks at it. Outlives the machine's
// processes, so that a stop, a restart or a reboot does not lose output.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "hvd/streams/console_memory.h"
#include "hvd/streams/subscriber.h"

namespace hv::hvd {

// Thread-safe. Output is lossless for every attached reader: while one lags by a whole scrollback,
// Room() is 0 and the guest's transmitter waits, until the reader goes on or, having taken nothing
// for kPatience, is cut off.
class ConsoleHub {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kInputBytes = 1 << 16;
  static constexpr std::chrono::seconds kPatience{10};

  explicit ConsoleHub(ConsoleMemory memory) : memory_(std::move(memory)) {}

  // --- The pump: whoever serves the serial port's ring. One at a time.
  // `wake` is called, from any thread, when there is input to send or room again; nullptr: none.
  void SetPump(std::function<void()> wake);
  // Bytes that can be appended now without taking them from a reader.
  size_t Room(Clock::time_point now);
  // Appends, and keeps where the pump is now for a successor, in one step.
  // REQUIRES: output.size() <= Room().
  void Append(std::string_view output, const PortPosition& position = {});
  // Tells readers of what was appended.
  void Announce();
  PortPosition position() const;
  // Typed bytes, at most `most`; each is given out once.
  std::string TakeInput(size_t most);
  bool HasInput() const;

  // --- Readers.
  using ReaderId = uint64_t;
  enum class ReadResult { kData, kNothingYet, kCutOff, kClosed };
  // From `offset` or the oldest byte kept after it; beyond the end: what comes next. `ready` is
  // called, from any thread, when there may be something to read or room to type.
  ReaderId Attach(uint64_t offset, std::function<void()> ready);
  // After this `ready` is not running and never will again.
  void Detach(ReaderId id);
  ReadResult Read(ReaderId id, size_t most, uint64_t& offset, std::string& output);
  // Takes the beginning of `input`, as far as no more than kInputBytes wait for the guest, and says
  // how much that was.
  size_t Type(std::string_view input);

  // Bytes of output since the beginning.
  uint64_t OutputBytes() const;
  // Descriptor of the memory that a hub of another hvd can go on with.
  int memory_fd() const { return memory_.fd(); }

  // The machine is deleted: readers get kClosed after the last byte.
  void Close();

 private:
  struct Reader {
    uint64_t offset;
    Clock::time_point moved;
    bool cut_off = false;
    std::shared_ptr<Subscriber> subscriber;
  };

  uint64_t SlowestOffset() const;
  void CutOffStalled(Clock::time_point now);
  void WakePump();

  mutable std::mutex mutex_;
  ConsoleMemory memory_;
  std::string input_;
  std::map<ReaderId, Reader> readers_;
  ReaderId next_id_ = 1;
  std::shared_ptr<Subscriber> pump_;
  bool pump_waits_for_room_ = false;
  bool closed_ = false;
};

}  // namespace hv::hvd
