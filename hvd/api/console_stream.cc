#include "hvd/api/console_stream.h"

#include "service/grpc_status.h"

namespace hv::hvd {
namespace {

// Small enough that a slow terminal does not wait long for its turn, large enough to be cheap.
constexpr size_t kPieceBytes = 32 * 1024;

grpc::Status BadRequest(const char* text) {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, text);
}

}  // namespace

ConsoleStream::ConsoleStream(const MachineRegistry& registry) : registry_(registry) {
  StartRead(&request_);
}

void ConsoleStream::OnReadDone(bool ok) {
  if (!ok) {
    // The client will type no more; it may still want to see. Before it has attached there is
    // nothing to see.
    std::unique_lock lock(mutex_);
    const bool attached = machine_ != nullptr;
    lock.unlock();
    if (!attached) EndWith(BadRequest("console: the first message must be attach"));
    return;
  }
  if (const grpc::Status status = Obey(); !status.ok()) return EndWith(status);
  TypeOn();
}

grpc::Status ConsoleStream::Obey() {
  switch (request_.request_case()) {
    case hv::v1::ConsoleRequest::kAttach: return Attach(request_.attach());
    case hv::v1::ConsoleRequest::kInput: break;
    default: return BadRequest("console: a message must be attach or input");
  }
  std::lock_guard lock(mutex_);
  if (machine_ == nullptr) return BadRequest("console: the first message must be attach");
  untyped_ = std::move(*request_.mutable_input());
  typing_ = true;
  return grpc::Status::OK;
}

grpc::Status ConsoleStream::Attach(const hv::v1::ConsoleAttach& attach) {
  auto machine = registry_.Find(attach.name());
  if (!machine.ok()) return service::ToGrpc(machine.status());
  {
    std::lock_guard lock(mutex_);
    if (machine_ != nullptr) {
      return BadRequest("console: attach must be the first message, and only the first");
    }
    machine_ = *std::move(machine);
    typing_ = true;
    reader_ = machine_->console().Attach(attach.from_offset(), [this] {
      Poke();
      TypeOn();
    });
  }
  Poke();
  return grpc::Status::OK;
}

void ConsoleStream::TypeOn() {
  {
    std::lock_guard lock(mutex_);
    if (!typing_) return;
    untyped_.erase(0, machine_->console().Type(untyped_));
    if (!untyped_.empty()) return;  // room will be announced
    typing_ = false;
  }
  StartRead(&request_);
}

ConsoleStream::Pull ConsoleStream::Next(hv::v1::ConsoleResponse& item, grpc::Status& status) {
  std::shared_ptr<Machine> machine;
  bool greeting;
  {
    std::lock_guard lock(mutex_);
    if (machine_ == nullptr) return Pull::kNothingYet;
    machine = machine_;
    greeting = !greeted_;
    greeted_ = true;
  }
  uint64_t offset = 0;
  const auto result = machine->console().Read(reader_, kPieceBytes, offset, *item.mutable_output());
  item.set_offset(offset);
  switch (result) {
    case ConsoleHub::ReadResult::kData: return Pull::kItem;
    case ConsoleHub::ReadResult::kNothingYet: return greeting ? Pull::kItem : Pull::kNothingYet;
    case ConsoleHub::ReadResult::kClosed: status = grpc::Status::OK; return Pull::kEnd;
    case ConsoleHub::ReadResult::kCutOff: break;
  }
  status = grpc::Status(grpc::StatusCode::ABORTED,
                        "console: nothing was taken for too long while the guest waited; attach "
                        "again from the last offset");
  return Pull::kEnd;
}

void ConsoleStream::OnDone() {
  if (machine_ != nullptr) machine_->console().Detach(reader_);
  delete this;
}

}  // namespace hv::hvd
