// A queue whose elements stay where they are from their first to their last day.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <type_traits>

namespace hv::soft {

// Elements are numbered from 0 in the order in which they were ever added. Memory comes in chunks;
// one is kept for the next.
template <typename T>
class Fifo {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // The numbers of the oldest element and of the next one.
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return end_; }
  uint64_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // REQUIRES: begin() <= number < end().
  T& operator[](uint64_t number) { return At(number); }
  const T& operator[](uint64_t number) const { return const_cast<Fifo*>(this)->At(number); }
  T& front() { return At(begin_); }

  T& Add(const T& value) {
    if (end_ == first_ + chunks_.size() * kChunk) {
      chunks_.push_back(spare_ != nullptr ? std::move(spare_)
                                          : std::make_unique_for_overwrite<Chunk>());
    }
    return *new (&At(end_++)) T(value);
  }
  // The oldest `count`.
  void DropFirst(uint64_t count) {
    begin_ += count;
    while (!chunks_.empty() && begin_ >= first_ + kChunk) {
      spare_ = std::move(chunks_.front());
      chunks_.pop_front();
      first_ += kChunk;
    }
  }
  // The newest one.
  void DropLast() { --end_; }
  void Clear() { DropFirst(size()); }

 private:
  // As large as allocators take from the system by itself: smaller ones would each be a call to
  // extend a thread's heap. Its pages come when they are written.
  static constexpr uint64_t kChunk = (size_t{256} << 10) / sizeof(T);
  struct Chunk {
    alignas(T) std::byte bytes[kChunk * sizeof(T)];
  };

  T& At(uint64_t number) {
    const uint64_t at = number - first_;
    return reinterpret_cast<T*>(chunks_[at / kChunk]->bytes)[at % kChunk];
  }

  std::deque<std::unique_ptr<Chunk>> chunks_;
  std::unique_ptr<Chunk> spare_;
  uint64_t first_ = 0;  // number of the first place in chunks_
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace hv::soft
