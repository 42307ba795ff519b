#include "cli/memory_command.h"

#include <cstdio>

#include "cli/address.h"
#include "cli/exit_status.h"
#include "cli/show.h"

namespace hv::cli {
namespace {

template <typename Response>
absl::StatusOr<int> Print(const absl::StatusOr<Response>& response, const Options& options,
                          std::string (*show)(const Response&)) {
  if (!response.ok()) return response.status();
  std::fputs((options.json ? ShowJson(*response) : show(*response)).c_str(), stdout);
  return kOk;
}

absl::StatusOr<hv::v1::GuestMemory> GetMemory(HvdClient& client, const Options& options) {
  hv::v1::GetMachineRequest request;
  request.set_name(options.name);
  request.set_memory(true);
  auto response = client.Call(&Stub::Get, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_memory());
}

// The dirty log or the write watch, of the range that --at and --bytes name.
template <typename Request>
absl::StatusOr<hv::v1::GuestMemory> Switch(HvdClient& client, const Options& options, bool on,
                                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                        const Request&,
                                                                        hv::v1::GuestMemory*)) {
  Request request;
  request.set_name(options.name);
  if (!options.at.empty()) {
    const auto address = ParseAddress(options.at);
    if (!address.ok()) return address.status();
    request.set_address(*address);
  }
  request.set_bytes(options.bytes);
  request.set_on(on);
  return client.Call(method, request);
}

absl::StatusOr<hv::v1::GuestMemory> Protect(HvdClient& client, const Options& options,
                                            const std::string& text, bool on) {
  const auto range = ParseRange(text);
  if (!range.ok()) return range.status();
  hv::v1::SetWriteProtectionRequest request;
  request.set_name(options.name);
  request.set_address(range->address);
  request.set_bytes(range->bytes);
  request.set_on(on);
  return client.Call(&Stub::SetWriteProtection, request);
}

// All of it, in as many calls as it takes.
template <typename Request>
absl::StatusOr<hv::v1::TakeDirtyLogResponse> Take(
    HvdClient& client, const Options& options,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                 hv::v1::TakeDirtyLogResponse*)) {
  Request request;
  request.set_name(options.name);
  hv::v1::TakeDirtyLogResponse all;
  do {
    auto part = client.Call(method, request);
    if (!part.ok()) return part.status();
    for (auto& range : *part->mutable_ranges()) *all.add_ranges() = std::move(range);
    all.set_dirty_pages(all.dirty_pages() + part->dirty_pages());
    request.set_address(part->next_address());
  } while (request.address() != 0);
  return all;
}

bool IsSwitched(const std::string& what) { return what == "on" || what == "off"; }

}  // namespace

absl::StatusOr<int> ShowOrChangeMemory(HvdClient& client, const Options& options) {
  const bool has_range = !options.at.empty() || options.bytes != 0;
  if (has_range && !IsSwitched(options.dirty_log) && !IsSwitched(options.watch_writes)) {
    return absl::InvalidArgumentError(
        "--at and --bytes: they belong to --dirty-log or --watch-writes, on or off");
  }
  if (options.dirty_log == "take") {
    return Print(Take(client, options, &Stub::TakeDirtyLog), options, ShowDirtyPages);
  }
  if (options.watch_writes == "take") {
    return Print(Take(client, options, &Stub::TakeWrittenPages), options, ShowDirtyPages);
  }
  if (!options.dirty_log.empty()) {
    return Print(Switch(client, options, options.dirty_log == "on", &Stub::SetDirtyLogging),
                 options, ShowMemory);
  }
  if (!options.watch_writes.empty()) {
    return Print(Switch(client, options, options.watch_writes == "on", &Stub::SetWriteWatch),
                 options, ShowMemory);
  }
  if (!options.protect.empty()) {
    return Print(Protect(client, options, options.protect, true), options, ShowMemory);
  }
  if (!options.unprotect.empty()) {
    return Print(Protect(client, options, options.unprotect, false), options, ShowMemory);
  }
  return Print(GetMemory(client, options), options, ShowMemory);
}

absl::StatusOr<int> Translate(HvdClient& client, const Options& options) {
  const auto address = ParseAddress(options.translate);
  if (!address.ok()) return address.status();
  hv::v1::TranslateAddressRequest request;
  request.set_name(options.name);
  request.set_vcpu(options.vcpu);
  request.set_address(*address);
  return Print(client.Call(&Stub::TranslateAddress, request), options, ShowTranslation);
}

}  // namespace hv::cli
