// The sending end of a ring.
#pragma once

#include <cstdint>
#include <cstring>

#include "ring/channel.h"
#include "ring/shared_store.h"

namespace hv::ring {

// Invariants: cells [consumed, position) are published or about to be; a slot is overwritten only
// once the consumer has acknowledged what it held. One thread.
class Producer {
 public:
  // `position`: of the next message; 0 in a fresh ring, else from the committed state or
  // RecoverPosition().
  explicit Producer(const RingView& ring, uint64_t position = 0)
      : ring_(ring), position_(position), consumed_(position) {
    // What is in flight is not known yet; the first HasRoom() reads the acknowledgement.
    consumed_ = position >= ring.capacity ? position - ring.capacity : 0;
  }

  // Whether `cells` more fit. Looks at the consumer's acknowledgement only when it must.
  bool HasRoom(uint32_t cells) {
    if (position_ + cells - consumed_ <= ring_.capacity) return true;
    RefreshConsumed();
    return position_ + cells - consumed_ <= ring_.capacity;
  }

  // The stamped cell for `position`, ready to be stored in an outbox or published.
  hv_cell Stamp(uint64_t position, const hv_cell& message) const {
    hv_cell cell;
    cell.stamp = position + 1;
    cell.kind = message.kind;
    cell.epoch = ring_.epoch;
    cell.tag = message.tag;
    std::memcpy(cell.payload, message.payload, sizeof(cell.payload));
    return cell;
  }

  // Writes a stamped cell to its slot. Doing it again changes nothing: the same bytes, and a
  // consumer that has moved on looks for other stamps. REQUIRES: the slot is free or holds `cell`.
  template <typename Stores>
  void Publish(const hv_cell& cell, Stores& stores) {
    WriteUnstamped(cell, stores);
    StoreStamp(cell, stores);
  }
  // The two halves of Publish.
  template <typename Stores>
  void WriteUnstamped(const hv_cell& cell, Stores& stores) {
    const uint64_t* from = Words(cell);
    uint64_t* to = Words(ring_.Slot(cell.stamp - 1));
    StoreRelaxed(to[1], SecondWord(cell), stores);
    for (size_t i = 2; i < kCellWords; ++i) StoreRelaxed(to[i], from[i], stores);
  }
  template <typename Stores>
  void StoreStamp(const hv_cell& cell, Stores& stores) {
    // Pairs with the acquire load of the stamp in Consumer::Peek.
    StoreRelease(ring_.Slot(cell.stamp - 1).stamp, cell.stamp, stores);
    if (cell.stamp > position_) position_ = cell.stamp;
  }
  // A stamp that is not that of `position`'s message stands in its slot until that is published:
  // what a broken producer would do. REQUIRES: as Publish of that message.
  template <typename Stores>
  void StoreForgedStamp(uint64_t position, uint64_t stamp, Stores& stores) {
    StoreRelease(ring_.Slot(position).stamp, stamp, stores);
  }

  // Sends one message. REQUIRES: HasRoom(1).
  void Push(const hv_cell& message) {
    DirectStores stores;
    Publish(Stamp(position_, message), stores);
  }

  uint64_t position() const { return position_; }
  uint32_t capacity() const { return ring_.capacity; }

  // The position after the newest cell that was ever published, from the stamps alone; for a
  // producer without committed state (hvd) that starts again on a ring in use.
  static uint64_t RecoverPosition(const RingView& ring) {
    uint64_t position = 0;
    for (uint32_t i = 0; i < ring.capacity; ++i) {
      const uint64_t stamp = LoadAcquire(ring.cells[i].stamp);  // pairs with Publish
      if (stamp > position && ((stamp - 1) & (ring.capacity - 1)) == i) position = stamp;
    }
    return position;
  }

 private:
  // Out of its fields: who stamps a cell has just stored them one by one, and a load of the whole
  // word would wait until these stores have left the store buffer.
  static uint64_t SecondWord(const hv_cell& cell) {
    return cell.kind | uint64_t{cell.epoch} << 16 | uint64_t{cell.tag} << 32;
  }

  // A hostile consumer may write anything here: what is not between what was known and what was
  // sent is not believed.
  void RefreshConsumed() {
    // Pairs with Consumer::Acknowledge: the consumer is done with the cells before this position.
    const uint64_t consumed = LoadAcquire(ring_.control->consumed);
    if (consumed >= consumed_ && consumed <= position_) consumed_ = consumed;
  }

  RingView ring_;
  uint64_t position_;
  uint64_t consumed_;
};

}  // namespace hv::ring
