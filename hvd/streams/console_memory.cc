#include "hvd/streams/console_memory.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kMagic = 0x454c4f534e4f4356;  // "VCONSOLE" in memory
constexpr uint64_t kVersion = 1;
constexpr size_t kBytesOffset = 4096;

// Appended bytes come behind those that a reader may still be shown, so that an append which was
// never committed has overwritten none of them.
size_t RingBytes(size_t capacity) { return capacity + ConsoleMemory::kMostAppended; }

}  // namespace

struct ConsoleMemory::Header {
  uint64_t magic;
  uint64_t version;
  uint64_t capacity;
  uint64_t commit;
  uint64_t zero[4];
  ConsoleState states[2];
};

absl::StatusOr<ConsoleMemory> ConsoleMemory::Make(size_t capacity) {
  static_assert(sizeof(PortPosition) == 32 && sizeof(ConsoleState) == 40);
  static_assert(sizeof(Header) == 64 + 2 * sizeof(ConsoleState) && sizeof(Header) < kBytesOffset);
  const size_t bytes = kBytesOffset + RingBytes(capacity);
  auto fd = ring::CreateSegment("hv:console", bytes);
  if (!fd.ok()) return fd.status();
  auto mapping = ring::Mapping::Map(fd->get(), bytes, /*writable=*/true);
  if (!mapping.ok()) return mapping.status();
  Header& header = *mapping->As<Header>();
  header.magic = kMagic;
  header.version = kVersion;
  header.capacity = capacity;
  return ConsoleMemory(*std::move(fd), *std::move(mapping), capacity);
}

absl::StatusOr<ConsoleMemory> ConsoleMemory::Open(UniqueFd fd) {
  const off_t bytes = lseek(fd.get(), 0, SEEK_END);
  if (bytes < static_cast<off_t>(RingBytes(0) + kBytesOffset)) {
    return absl::InvalidArgumentError(absl::StrCat("console: a file of ", bytes, " bytes"));
  }
  auto mapping = ring::Mapping::Map(fd.get(), static_cast<uint64_t>(bytes), /*writable=*/true);
  if (!mapping.ok()) return mapping.status();
  const Header& header = *mapping->As<Header>();
  if (header.magic != kMagic) return absl::InvalidArgumentError("console: not a console");
  if (header.version != kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("console: version ", header.version, ", this hvd knows ", kVersion));
  }
  if (header.capacity != static_cast<uint64_t>(bytes) - kBytesOffset - kMostAppended) {
    return absl::InvalidArgumentError(
        absl::StrCat("console: ", header.capacity, " bytes in a file of ", bytes));
  }
  return ConsoleMemory(std::move(fd), *std::move(mapping), header.capacity);
}

ConsoleMemory::ConsoleMemory(UniqueFd fd, ring::Mapping mapping, size_t capacity)
    : fd_(std::move(fd)), mapping_(std::move(mapping)), capacity_(capacity) {}

ConsoleMemory::Header& ConsoleMemory::header() const { return *mapping_.As<Header>(); }

const ConsoleMemory::ConsoleState& ConsoleMemory::current() const {
  return header().states[header().commit & 1];
}

char& ConsoleMemory::Byte(uint64_t offset) const {
  return reinterpret_cast<char*>(
      mapping_.bytes().data())[kBytesOffset + offset % RingBytes(capacity_)];
}

void ConsoleMemory::Append(std::string_view text, const PortPosition& position) {
  CHECK(text.size() <= kMostAppended);
  const uint64_t from = end();
  for (size_t i = 0; i < text.size(); ++i) Byte(from + i) = text[i];
  const uint64_t next = header().commit + 1;
  header().states[next & 1] = {from + text.size(), position};
  // Pairs with the start of a successor, which sees memory as the killed hvd has left it: the
  // compiler must not move what the commit covers behind it.
  ring::DirectStores stores;
  ring::StoreRelease(header().commit, next, stores);
  // Nor what the next call writes before it: that goes where the current state was until now.
  std::atomic_thread_fence(std::memory_order_release);
}

std::string ConsoleMemory::Read(uint64_t offset, size_t most) const {
  CHECK(offset >= begin() && offset <= end());
  std::string text(std::min<uint64_t>(most, end() - offset), '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = Byte(offset + i);
  return text;
}

}  // namespace hv::hvd
