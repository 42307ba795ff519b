#include "cli/hvd_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "base/temporary_folder.h"
#include "base/unique_fd.h"

namespace hv::cli {
namespace {

class FakeHvd : public hv::v1::MachineService::Service {
 public:
  grpc::Status GetVersion(grpc::ServerContext*, const hv::v1::GetVersionRequest*,
                          hv::v1::GetVersionResponse* response) override {
    response->set_version("fake");
    return grpc::Status::OK;
  }
};

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  std::strcpy(address.sun_path, path.c_str());
  return address;
}

// Carries bytes both ways until one side closes.
void Carry(int left, int right) {
  pollfd ends[] = {{.fd = left, .events = POLLIN}, {.fd = right, .events = POLLIN}};
  while (poll(ends, 2, -1) > 0) {
    for (int i = 0; i < 2; ++i) {
      if (ends[i].revents == 0) continue;
      char bytes[4096];
      const ssize_t got = read(ends[i].fd, bytes, sizeof(bytes));
      if (got <= 0) return;
      if (send(ends[1 - i].fd, bytes, static_cast<size_t>(got), MSG_NOSIGNAL) != got) return;
    }
  }
}

// In front of a server: answers each connection only after `delay`, as on a host with little time
// for it.
class SlowDoor {
 public:
  SlowDoor(const std::string& path, std::string server, std::chrono::milliseconds delay)
      : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_un address = AddressOf(path);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    thread_ = std::thread([this, server = std::move(server), delay] {
      for (;;) {
        const int client = accept(listener_.get(), nullptr, nullptr);
        if (client < 0) return;
        connections_.emplace_back([client = UniqueFd(client), server, delay] {
          std::this_thread::sleep_for(delay);
          const UniqueFd there(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
          const sockaddr_un to = AddressOf(server);
          if (connect(there.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) return;
          Carry(client.get(), there.get());
        });
      }
    });
  }
  ~SlowDoor() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& connection : connections_) connection.join();
  }

 private:
  const UniqueFd listener_;
  std::thread thread_;
  std::vector<std::thread> connections_;
};

TEST(HvdClientTest, AnHvdThatIsSlowToAnswerIsWaitedFor) {
  const TemporaryFolder folder;
  const std::string server_path = folder.path() / "server", door_path = folder.path() / "door";
  FakeHvd service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + server_path, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const SlowDoor door(door_path, server_path, std::chrono::milliseconds(400));

  auto client = HvdClient::Connect(door_path);
  ASSERT_TRUE(client.ok()) << client.status();
  const auto version = client->Call(&Stub::GetVersion, hv::v1::GetVersionRequest());
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->version(), "fake");
}

}  // namespace
}  // namespace hv::cli
