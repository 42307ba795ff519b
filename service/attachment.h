// Attaching to a machine: the manifest and descriptors from the socket, the segments they name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "abi/version.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/manifest.pb.h"
#include "ring/segment.h"

namespace hv::service {

// Where hvd leaves the socket in every process it starts.
inline constexpr int kManifestSocket = 3;

// Sends `manifest` with `fds`; `fd` fields of the manifest are indexes into `fds`.
absl::Status SendManifest(int socket, const hv::v1::Manifest& manifest, std::span<const int> fds);

class Attachment {
 public:
  struct MappedSegment {
    hv_segment kind;
    uint32_t endpoint;
    uint32_t peer;
    bool writable;
    ring::Mapping mapping;
  };

  // Waits for the manifest on `socket`, checks it and maps what it names. Unavailable: the other
  // side closed. FailedPrecondition: another ABI major, naming both. InvalidArgument: says what is
  // wrong.
  static absl::StatusOr<Attachment> Receive(int socket);

  const hv::v1::Manifest& manifest() const { return manifest_; }
  const std::vector<MappedSegment>& segments() const { return segments_; }

  // The first segment of `kind` that belongs to `endpoint`; empty when there is none.
  std::span<std::byte> Find(hv_segment kind, uint32_t endpoint) const;
  // The first segment of `kind`, whoever it belongs to.
  std::span<std::byte> Find(hv_segment kind) const;
  template <typename T>
  T* FindAs(hv_segment kind, uint32_t endpoint) const {
    const auto bytes = Find(kind, endpoint);
    return bytes.size() >= sizeof(T) ? reinterpret_cast<T*>(bytes.data()) : nullptr;
  }
  template <typename T>
  T* FindAs(hv_segment kind) const {
    const auto bytes = Find(kind);
    return bytes.size() >= sizeof(T) ? reinterpret_cast<T*>(bytes.data()) : nullptr;
  }

  // The socket over which connections for gRPC come (control_server.h); once.
  UniqueFd TakeControl() { return std::move(control_); }

  // The userfaultfd of guest RAM, if this process is to page it; once.
  UniqueFd TakeUserfault() { return std::move(userfault_); }

  // In words, for Describe.
  std::vector<std::string> DescribeMaps() const;

 private:
  absl::Status MapAll(std::vector<UniqueFd>& fds);

  hv::v1::Manifest manifest_;
  std::vector<MappedSegment> segments_;
  UniqueFd control_;
  UniqueFd userfault_;
};

}  // namespace hv::service
