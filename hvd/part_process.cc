#include "hvd/part_process.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "abi/endpoint.h"
#include "absl/strings/str_cat.h"
#include "hvd/time_slice.h"
#include "service/attachment.h"
#include "service/control_server.h"
#include "service/role_name.h"

namespace hv::hvd {

absl::StatusOr<SocketPair> MakeSocketPair(int type) {
  int sockets[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("socketpair: ", std::strerror(errno)));
  }
  return SocketPair{UniqueFd(sockets[0]), UniqueFd(sockets[1])};
}

absl::StatusOr<LaunchedPart> LaunchPart(Launcher& launcher, uint32_t endpoint, int log) {
  auto sockets = MakeSocketPair(SOCK_SEQPACKET);
  if (!sockets.ok()) return sockets.status();
  auto process =
      launcher.Launch(service::RoleName(HV_ENDPOINT_ROLE(endpoint)), sockets->theirs.get(), log);
  if (!process.ok()) return process.status();
  (*process)->AskForTimeSlice(kPatientSlice);
  return LaunchedPart{*std::move(process), std::move(sockets->ours), {}};
}

absl::StatusOr<UniqueFd> AttachPart(LaunchedPart& part, const MachinePlan& plan,
                                    const SegmentSet& segments, uint32_t endpoint, uint32_t epoch,
                                    MachineRecords& records) {
  auto control = MakeSocketPair(SOCK_SEQPACKET);
  if (!control.ok()) return control.status();
  const PreparedManifest prepared =
      PrepareManifest(plan, segments, endpoint, epoch, control->theirs.get());
  part.process->AskForTimeSlice(kPromptSlice);
  records.PutPart(endpoint, epoch, *part.process, control->ours.get());
  if (auto status =
          service::SendManifest(part.manifest_socket.get(), prepared.manifest, prepared.fds);
      !status.ok()) {
    return status;
  }
  part.control = std::move(control->ours);
  return ConnectTo(part);
}

absl::StatusOr<UniqueFd> ConnectTo(const LaunchedPart& part) {
  auto connection = MakeSocketPair(SOCK_STREAM);
  if (!connection.ok()) return connection.status();
  if (auto status = service::SendConnection(part.control.get(), connection->theirs.get());
      !status.ok()) {
    return status;
  }
  return std::move(connection->ours);
}

}  // namespace hv::hvd
