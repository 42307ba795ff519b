// A record as hvd and hv_keeper hand it to each other: opaque bytes and descriptors, in pieces.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/keeper.pb.h"

namespace hv::keeper {

inline constexpr size_t kLongestKey = 256;

struct KeptRecord {
  std::string bytes;
  std::vector<UniqueFd> fds;
};
using Records = std::map<std::string, KeptRecord>;  // by key

// Which field of a KeeperMessage carries the pieces: put or kept.
using PieceField = hv::v1::KeptPiece* (hv::v1::KeeperMessage::*)();

// Sends a record in as many messages as it takes. Unavailable: the other side is gone, or does not
// take it in time.
absl::Status SendRecord(int socket, PieceField field, const std::string& key,
                        const std::string& bytes, std::span<const int> fds);

// Puts the pieces of one sender together.
class RecordAssembler {
 public:
  // The record whose last piece this is; nullopt: more is to come. InvalidArgument: no piece an
  // honest sender could have sent; what had come of the record is dropped.
  absl::StatusOr<std::optional<Records::value_type>> Add(const hv::v1::KeptPiece& piece,
                                                         std::vector<UniqueFd> fds);

 private:
  std::string key_;  // empty: the next piece is a first one
  KeptRecord record_;
};

}  // namespace hv::keeper
