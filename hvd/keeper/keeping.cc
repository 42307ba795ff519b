#include "hvd/keeper/keeping.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/descriptor_socket.h"

namespace hv::keeper {

void Keeping::Serve(int socket) {
  RecordAssembler assembler;
  for (;;) {
    auto received = service::ReceiveWithDescriptors(socket);
    if (!received.ok()) return;
    hv::v1::KeeperMessage message;
    if (!message.ParseFromString(received->bytes)) return;
    if (!Do(message, std::move(received->fds), socket, assembler).ok()) return;
  }
}

absl::Status Keeping::Do(const hv::v1::KeeperMessage& message, std::vector<UniqueFd> fds,
                         int socket, RecordAssembler& assembler) {
  switch (message.message_case()) {
    case hv::v1::KeeperMessage::kPut: {
      auto record = assembler.Add(message.put(), std::move(fds));
      if (!record.ok()) return record.status();
      if (record->has_value()) records_[(*record)->first] = std::move((*record)->second);
      return absl::OkStatus();
    }
    case hv::v1::KeeperMessage::kRemove: records_.erase(message.remove()); return absl::OkStatus();
    case hv::v1::KeeperMessage::kFetch: return SendAll(socket);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("message ", static_cast<int>(message.message_case()), " is not hvd's"));
  }
}

absl::Status Keeping::SendAll(int socket) const {
  for (const auto& [key, record] : records_) {
    std::vector<int> fds;
    for (const UniqueFd& fd : record.fds) fds.push_back(fd.get());
    if (auto status =
            SendRecord(socket, &hv::v1::KeeperMessage::mutable_kept, key, record.bytes, fds);
        !status.ok()) {
      return status;
    }
  }
  hv::v1::KeeperMessage end;
  end.mutable_fetched()->set_pid(getpid());
  return service::SendWithDescriptors(socket, end.SerializeAsString(), {});
}

}  // namespace hv::keeper
