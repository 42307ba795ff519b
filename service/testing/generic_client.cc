#include "service/testing/generic_client.h"

#include <chrono>

#include "service/grpc_status.h"

namespace hv::service {
namespace {

constexpr std::chrono::seconds kTimeout{20};

// Waits for the one operation under way.
bool Next(grpc::CompletionQueue& queue) {
  void* tag;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace

absl::StatusOr<std::string> CallByName(const std::shared_ptr<grpc::Channel>& channel,
                                       const std::string& method, const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  bool going = Next(queue);
  const grpc::Slice slice(request);
  grpc::ByteBuffer out(&slice, 1);
  if (going) {
    call->WriteLast(out, grpc::WriteOptions(), nullptr);
    going = Next(queue);
  }
  grpc::ByteBuffer in;
  if (going) {
    call->Read(&in, nullptr);
    going = Next(queue);
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  Next(queue);
  if (!status.ok()) return FromGrpc(status);
  if (!going) return absl::UnavailableError("no answer");
  grpc::Slice answer;
  if (!in.TrySingleSlice(&answer).ok() && !in.DumpToSingleSlice(&answer).ok()) {
    return absl::InternalError("an answer that is no bytes");
  }
  return std::string(reinterpret_cast<const char*>(answer.begin()), answer.size());
}

}  // namespace hv::service
