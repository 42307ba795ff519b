#include "hvd/streams/console_hub.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace hv::hvd {

void ConsoleHub::SetPump(std::function<void()> wake) {
  std::shared_ptr<Subscriber> former;
  {
    std::lock_guard lock(mutex_);
    former = std::move(pump_);
    pump_ = wake ? std::make_shared<Subscriber>(std::move(wake)) : nullptr;
  }
  if (former) former->Silence();
}

uint64_t ConsoleHub::SlowestOffset() const {
  uint64_t slowest = memory_.end();
  for (const auto& [id, reader] : readers_) {
    if (!reader.cut_off) slowest = std::min(slowest, reader.offset);
  }
  return slowest;
}

void ConsoleHub::CutOffStalled(Clock::time_point now) {
  for (auto& [id, reader] : readers_) {
    const bool holds = memory_.end() - reader.offset >= memory_.capacity();
    if (holds && now - reader.moved >= kPatience) reader.cut_off = true;
  }
}

size_t ConsoleHub::Room(Clock::time_point now) {
  std::vector<std::shared_ptr<Subscriber>> cut_off;
  size_t room;
  {
    std::lock_guard lock(mutex_);
    const auto free = [&] {
      return memory_.capacity() - static_cast<size_t>(memory_.end() - SlowestOffset());
    };
    room = free();
    if (room == 0) {
      CutOffStalled(now);
      room = free();
      for (auto& [id, reader] : readers_) {
        if (reader.cut_off) cut_off.push_back(reader.subscriber);
      }
    }
    pump_waits_for_room_ = room == 0;
  }
  for (const auto& subscriber : cut_off) subscriber->Notify();
  return room;
}

void ConsoleHub::Append(std::string_view output, const PortPosition& position) {
  std::lock_guard lock(mutex_);
  memory_.Append(output, position);
}

PortPosition ConsoleHub::position() const {
  std::lock_guard lock(mutex_);
  return memory_.position();
}

void ConsoleHub::Announce() {
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, reader] : readers_) subscribers.push_back(reader.subscriber);
  }
  for (const auto& subscriber : subscribers) subscriber->Notify();
}

std::string ConsoleHub::TakeInput(size_t most) {
  std::string taken;
  bool was_full;
  {
    std::lock_guard lock(mutex_);
    was_full = input_.size() == kInputBytes;
    taken = input_.substr(0, most);
    input_.erase(0, taken.size());
  }
  if (was_full && !taken.empty()) Announce();
  return taken;
}

bool ConsoleHub::HasInput() const {
  std::lock_guard lock(mutex_);
  return !input_.empty();
}

ConsoleHub::ReaderId ConsoleHub::Attach(uint64_t offset, std::function<void()> ready) {
  std::lock_guard lock(mutex_);
  const ReaderId id = next_id_++;
  readers_[id] = {.offset = std::clamp(offset, memory_.begin(), memory_.end()),
                  .moved = Clock::now(),
                  .subscriber = std::make_shared<Subscriber>(std::move(ready))};
  return id;
}

void ConsoleHub::Detach(ReaderId id) {
  std::shared_ptr<Subscriber> subscriber;
  {
    std::lock_guard lock(mutex_);
    const auto found = readers_.find(id);
    if (found == readers_.end()) return;
    subscriber = found->second.subscriber;
    readers_.erase(found);
  }
  subscriber->Silence();
  WakePump();
}

ConsoleHub::ReadResult ConsoleHub::Read(ReaderId id, size_t most, uint64_t& offset,
                                        std::string& output) {
  bool gives_room;
  {
    std::lock_guard lock(mutex_);
    const auto found = readers_.find(id);
    CHECK(found != readers_.end());
    Reader& reader = found->second;
    if (reader.cut_off) return ReadResult::kCutOff;
    offset = reader.offset;
    if (reader.offset == memory_.end()) {
      output.clear();
      return closed_ ? ReadResult::kClosed : ReadResult::kNothingYet;
    }
    output = memory_.Read(reader.offset, most);
    reader.offset += output.size();
    reader.moved = Clock::now();
    gives_room = pump_waits_for_room_;
  }
  if (gives_room) WakePump();
  return ReadResult::kData;
}

size_t ConsoleHub::Type(std::string_view input) {
  size_t taken;
  {
    std::lock_guard lock(mutex_);
    taken = std::min(input.size(), kInputBytes - input_.size());
    input_.append(input.substr(0, taken));
  }
  WakePump();
  return taken;
}

uint64_t ConsoleHub::OutputBytes() const {
  std::lock_guard lock(mutex_);
  return memory_.end();
}

void ConsoleHub::WakePump() {
  std::shared_ptr<Subscriber> pump;
  {
    std::lock_guard lock(mutex_);
    pump = pump_;
  }
  if (pump) pump->Notify();
}

void ConsoleHub::Close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  Announce();
}

}  // namespace hv::hvd
