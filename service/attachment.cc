#include "service/attachment.h"

#include <algorithm>

#include "abi/endpoint.h"
#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "service/descriptor_socket.h"
#include "service/role_name.h"

namespace hv::service {
namespace {

// hv_kernel with HV_MAX_VCPUS vCPUs, a page, a wake word and six channels each, needs 524.
constexpr size_t kMaxDescriptors = 1024;

const char* SegmentName(hv_segment kind) {
  switch (kind) {
    case HV_SEGMENT_CHANNEL: return "channel";
    case HV_SEGMENT_STATE: return "state";
    case HV_SEGMENT_WAKE: return "wake";
    case HV_SEGMENT_VCPU_PAGE: return "vcpu page";
    case HV_SEGMENT_ROUTE_TABLE: return "route table";
    case HV_SEGMENT_CPUID_TABLE: return "cpuid table";
    case HV_SEGMENT_SPIN_BUDGET: return "spin budget";
    case HV_SEGMENT_DIRTY_LOG: return "dirty log";
    case HV_SEGMENT_GUEST_RAM: return "guest ram";
    case HV_SEGMENT_PAGER_PAGE: return "pager page";
    case HV_SEGMENT_WRITTEN_PAGES: return "written pages";
  }
  return "unknown";
}

// How many descriptors `manifest` names.
size_t DescriptorsNamed(const hv::v1::Manifest& manifest) {
  uint32_t highest = std::max(manifest.control_fd(), manifest.userfault().fd());
  for (const auto& segment : manifest.segments()) highest = std::max(highest, segment.fd());
  return size_t{highest} + 1;
}

}  // namespace

absl::Status SendManifest(int socket, const hv::v1::Manifest& manifest, std::span<const int> fds) {
  const std::string bytes = manifest.SerializeAsString();
  if (bytes.size() > kMaxMessageBytes || fds.size() > kMaxDescriptors) {
    return absl::InvalidArgumentError(absl::StrCat("manifest: ", bytes.size(), " bytes with ",
                                                   fds.size(), " descriptors is too large"));
  }
  // Descriptors that do not fit into the manifest's own message follow in messages of one byte.
  for (size_t sent = 0; sent == 0 || sent < fds.size();) {
    const auto some = fds.subspan(sent, std::min(fds.size() - sent, kMaxDescriptorsPerMessage));
    const absl::string_view text = sent == 0 ? absl::string_view(bytes) : "+";
    if (auto status = SendWithDescriptors(socket, text, some); !status.ok()) return status;
    sent += some.size();
    if (fds.empty()) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<Attachment> Attachment::Receive(int socket) {
  auto received = ReceiveWithDescriptors(socket);
  if (!received.ok()) return received.status();
  std::vector<UniqueFd>& fds = received->fds;
  Attachment attachment;
  if (!attachment.manifest_.ParseFromString(received->bytes)) {
    return absl::InvalidArgumentError("manifest: not an hv.v1.Manifest");
  }
  if (attachment.manifest_.abi_major() != HV_ABI_MAJOR) {
    return absl::FailedPreconditionError(
        absl::StrCat("manifest: for ABI major ", attachment.manifest_.abi_major(),
                     ", this process speaks major ", HV_ABI_MAJOR, "; use parts of one release"));
  }
  if (attachment.manifest_.tsc_hz() == 0) {
    return absl::InvalidArgumentError("manifest: tsc_hz is 0");
  }
  const size_t named = DescriptorsNamed(attachment.manifest_);
  while (fds.size() < std::min(named, kMaxDescriptors)) {
    auto more = ReceiveWithDescriptors(socket);
    if (!more.ok()) return more.status();
    if (more->fds.empty()) break;
    for (UniqueFd& fd : more->fds) fds.push_back(std::move(fd));
  }
  if (auto status = attachment.MapAll(fds); !status.ok()) return status;
  return attachment;
}

absl::Status Attachment::MapAll(std::vector<UniqueFd>& fds) {
  for (const auto& segment : manifest_.segments()) {
    if (segment.fd() >= fds.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("manifest: names descriptor ", segment.fd(), " of ", fds.size()));
    }
    auto mapping = ring::Mapping::Map(fds[segment.fd()].get(), segment.bytes(), segment.writable());
    if (!mapping.ok()) return mapping.status();
    segments_.push_back({static_cast<hv_segment>(segment.kind()), segment.endpoint(),
                         segment.peer(), segment.writable(), *std::move(mapping)});
  }
  if (manifest_.control_fd() >= fds.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: control descriptor ", manifest_.control_fd(), " of ", fds.size()));
  }
  control_ = std::move(fds[manifest_.control_fd()]);
  if (!manifest_.has_userfault()) return absl::OkStatus();
  if (manifest_.userfault().fd() >= fds.size() || !fds[manifest_.userfault().fd()].valid()) {
    return absl::InvalidArgumentError(absl::StrCat("manifest: userfaultfd is descriptor ",
                                                   manifest_.userfault().fd(), " of ", fds.size()));
  }
  userfault_ = std::move(fds[manifest_.userfault().fd()]);
  return absl::OkStatus();
}

std::span<std::byte> Attachment::Find(hv_segment kind, uint32_t endpoint) const {
  for (const auto& segment : segments_) {
    if (segment.kind == kind && segment.endpoint == endpoint) return segment.mapping.bytes();
  }
  return {};
}

std::span<std::byte> Attachment::Find(hv_segment kind) const {
  for (const auto& segment : segments_) {
    if (segment.kind == kind) return segment.mapping.bytes();
  }
  return {};
}

std::vector<std::string> Attachment::DescribeMaps() const {
  std::vector<std::string> maps;
  for (const auto& segment : segments_) {
    std::string text = SegmentName(segment.kind);
    if (segment.kind == HV_SEGMENT_CHANNEL) {
      absl::StrAppend(&text, " with ", EndpointName(segment.peer));
    } else if (segment.kind == HV_SEGMENT_WAKE || segment.kind == HV_SEGMENT_VCPU_PAGE) {
      absl::StrAppend(&text, " of ", EndpointName(segment.endpoint));
    }
    if (!segment.writable) absl::StrAppend(&text, " (read only)");
    maps.push_back(std::move(text));
  }
  if (manifest_.has_userfault()) maps.emplace_back("userfaultfd of hv_kernel's guest ram");
  return maps;
}

}  // namespace hv::service
