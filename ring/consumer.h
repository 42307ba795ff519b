// The receiving end of a ring.
#pragma once

#include <cstdint>

#include "ring/channel.h"
#include "ring/shared_store.h"

namespace hv::ring {

enum class [[nodiscard]] PeekResult : uint8_t{
    kMessage,   // the copy is the message at position()
    kEmpty,     // nothing there yet
    kBadStamp,  // the slot holds a stamp no honest producer writes there; not a message
    kBadEpoch,  // a message of another epoch: to be skipped
};

// A hostile producer can make messages appear, change or vanish; it cannot make this read outside
// the ring or stop the reader. One thread.
class Consumer {
 public:
  explicit Consumer(const RingView& ring, uint64_t position = 0)
      : ring_(ring), position_(position) {}

  // Copies the message at position() once; only the copy is to be used. Does not move on.
  PeekResult Peek(hv_cell& copy) const {
    hv_cell& slot = ring_.Slot(position_);
    uint64_t* from = Words(slot);
    uint64_t* to = Words(copy);
    // Pairs with the release store of the stamp in Producer::Publish.
    const uint64_t stamp = LoadAcquire(from[0]);
    if (stamp != position_ + 1) return Explain(stamp);
    to[0] = stamp;
    for (size_t i = 1; i < kCellWords; ++i) to[i] = LoadRelaxed(from[i]);
    return copy.epoch == ring_.epoch ? PeekResult::kMessage : PeekResult::kBadEpoch;
  }

  // Whether Peek would find a message: one load.
  bool Ready() const { return LoadAcquire(ring_.Slot(position_).stamp) == position_ + 1; }

  // Whether Peek would find nothing at all, neither a message nor a bad stamp: one load.
  bool Empty() const {
    const uint64_t stamp = LoadAcquire(ring_.Slot(position_).stamp);
    return stamp != position_ + 1 && Explain(stamp) == PeekResult::kEmpty;
  }

  // Moves past the message at position().
  void Advance() { ++position_; }
  uint64_t position() const { return position_; }

  // Tells the producer that everything before position() may be overwritten.
  template <typename Stores>
  void Acknowledge(Stores& stores) {
    if (acknowledged_ == position_) return;
    acknowledged_ = position_;
    // Pairs with Producer::RefreshConsumed: our reads of the cells come before.
    StoreRelease(ring_.control->consumed, position_, stores);
  }
  // Whether the producer knows all that it may overwrite.
  bool acknowledged() const { return acknowledged_ == position_; }
  // Whether an acknowledgement is due although there is more to read: an eighth of the ring.
  bool AcknowledgeDue() const { return position_ - acknowledged_ >= ring_.capacity / 8; }

 private:
  PeekResult Explain(uint64_t stamp) const {
    // The slot's last message, one lap ago, or none ever.
    const uint64_t previous = position_ + 1 >= ring_.capacity ? position_ + 1 - ring_.capacity : 0;
    return stamp == previous || stamp == 0 ? PeekResult::kEmpty : PeekResult::kBadStamp;
  }

  RingView ring_;
  uint64_t position_;
  uint64_t acknowledged_ = UINT64_MAX;  // not known: the first Acknowledge always stores
};

}  // namespace hv::ring
