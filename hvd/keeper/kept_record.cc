#include "hvd/keeper/kept_record.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/descriptor_socket.h"

namespace hv::keeper {
namespace {

// Leaves room in a message for the key and what Protobuf adds.
constexpr size_t kPieceBytes = 64 * 1024;
static_assert(kPieceBytes + kLongestKey < service::kMaxMessageBytes);

}  // namespace

absl::Status SendRecord(int socket, PieceField field, const std::string& key,
                        const std::string& bytes, std::span<const int> fds) {
  size_t sent = 0;
  bool last = false;
  while (!last) {
    const size_t some = std::min(bytes.size() - sent, kPieceBytes);
    const auto some_fds = fds.first(std::min(fds.size(), service::kMaxDescriptorsPerMessage));
    hv::v1::KeeperMessage message;
    hv::v1::KeptPiece& piece = *(message.*field)();
    piece.set_key(key);
    piece.set_bytes(bytes.substr(sent, some));
    sent += some;
    fds = fds.subspan(some_fds.size());
    last = sent == bytes.size() && fds.empty();
    piece.set_last(last);
    if (auto status = service::SendWithDescriptors(socket, message.SerializeAsString(), some_fds);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Records::value_type>> RecordAssembler::Add(
    const hv::v1::KeptPiece& piece, std::vector<UniqueFd> fds) {
  if (piece.key().empty() || piece.key().size() > kLongestKey ||
      (!key_.empty() && piece.key() != key_)) {
    const std::string former = std::exchange(key_, "");
    record_ = {};
    return absl::InvalidArgumentError(absl::StrCat("a piece with a key of ", piece.key().size(),
                                                   " bytes after one of '", former, "'; 1 to ",
                                                   kLongestKey, ", the same in all"));
  }
  key_ = piece.key();
  record_.bytes += piece.bytes();
  std::move(fds.begin(), fds.end(), std::back_inserter(record_.fds));
  if (!piece.last()) return std::nullopt;
  return Records::value_type(std::exchange(key_, ""), std::exchange(record_, {}));
}

}  // namespace hv::keeper
