#include "hvd/server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "hvd/fake_world.h"
#include "hvd/host_port.h"
#include "hvd/machine_registry.h"
#include "proto/hv/v1/machine.grpc.pb.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : path_(fs::temp_directory_path() / ("server" + std::to_string(getpid()))),
        folder_((fs::remove_all(path_), RuntimeFolder::Open(path_).value())) {
    std::ofstream(path_ + "/kernel") << "not really";
    server_ = Server::Listen(Socket(), registry_, events_).value();
    stub_ = hv::v1::MachineService::NewStub(
        grpc::CreateChannel("unix:" + Socket(), grpc::InsecureChannelCredentials()));
  }
  ~ServerTest() override {
    server_.reset();
    fs::remove_all(path_);
  }

  std::string Socket() const { return path_ + "/s"; }
  grpc::Status Create(const std::string& name) {
    grpc::ClientContext context;
    hv::v1::CreateMachineRequest request;
    request.mutable_config()->set_name(name);
    request.mutable_config()->set_kernel(path_ + "/kernel");
    request.mutable_config()->set_memory_bytes(16 << 20);
    request.mutable_config()->set_no_standby(true);
    return stub_->Create(&context, request, &machine_);
  }
  grpc::Status Start(const std::string& name) {
    grpc::ClientContext context;
    hv::v1::StartMachineRequest request;
    request.set_name(name);
    return stub_->Start(&context, request, &machine_);
  }
  grpc::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    hv::v1::DeleteMachineRequest request;
    request.set_name(name);
    request.set_force(true);
    hv::v1::DeleteMachineResponse response;
    return stub_->Delete(&context, request, &response);
  }

  std::string path_;
  RuntimeFolder folder_;
  EventBus events_;
  EventLoop loop_;
  FakeLauncher launcher_;
  FakeLoader loader_;
  MachineRegistry registry_{World{.loop = loop_,
                                  .launcher = launcher_,
                                  .loader = loader_,
                                  .events = events_,
                                  .folder = folder_,
                                  .tsc_hz = 1'000'000'000}};
  std::unique_ptr<Server> server_;
  std::unique_ptr<hv::v1::MachineService::Stub> stub_;
  hv::v1::Machine machine_;
};

TEST_F(ServerTest, SocketIsForItsOwnerAlone) {
  struct stat info;
  ASSERT_EQ(stat(Socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ServerTest, MachineIsCreatedStartedListedAndDeleted) {
  ASSERT_TRUE(Create("vm").ok());
  EXPECT_EQ(machine_.state(), hv::v1::MACHINE_STATE_CREATED);
  ASSERT_TRUE(Start("vm").ok());
  EXPECT_EQ(machine_.state(), hv::v1::MACHINE_STATE_RUNNING);
  grpc::ClientContext context;
  hv::v1::ListMachinesResponse list;
  ASSERT_TRUE(stub_->List(&context, {}, &list).ok());
  ASSERT_EQ(list.machines_size(), 1);
  EXPECT_EQ(list.machines(0).config().name(), "vm");
  EXPECT_TRUE(Delete("vm").ok());
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(ServerTest, ErrorsArriveWithTheirCodeAndMessage) {
  const grpc::Status bad = Create("no/slash");
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(bad.error_message().find("no/slash"), std::string::npos);
  EXPECT_EQ(Start("none").error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(Create("vm").ok());
  EXPECT_EQ(Create("vm").error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(ServerTest, MemoryIsShownWhenAskedFor) {
  ASSERT_TRUE(Create("vm").ok());
  launcher_.mmu.memory.add_regions()->set_bytes(16 << 20);
  launcher_.mmu.memory.set_hole_reads(7);
  hv::v1::GetMachineRequest request;
  request.set_name("vm");
  for (const bool memory : {false, true}) {
    grpc::ClientContext context;
    hv::v1::GetMachineResponse response;
    request.set_memory(memory);
    ASSERT_TRUE(stub_->Get(&context, request, &response).ok());
    EXPECT_EQ(response.has_memory(), memory);
    EXPECT_EQ(response.memory().hole_reads(), memory ? 7u : 0u);
  }
}

TEST_F(ServerTest, ChangesOfMemoryAnswerWithTheMap) {
  ASSERT_TRUE(Create("vm").ok());
  launcher_.mmu.memory.set_generation(4);
  hv::v1::GuestMemory memory;
  hv::v1::SetDirtyLoggingRequest log;
  log.set_name("vm");
  grpc::ClientContext first;
  ASSERT_TRUE(stub_->SetDirtyLogging(&first, log, &memory).ok());
  EXPECT_EQ(memory.generation(), 4u);
  launcher_.mmu.refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many slots"};
  hv::v1::SetWriteProtectionRequest protect;
  protect.set_name("vm");
  grpc::ClientContext second;
  const grpc::Status refused = stub_->SetWriteProtection(&second, protect, &memory);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(), "too many slots");
}

TEST_F(ServerTest, TheDirtyLogAndTranslationsComeFromTheMachineOfThatName) {
  ASSERT_TRUE(Create("vm").ok());
  launcher_.mmu.dirty.emplace_back().set_bitmap("\x03");
  hv::v1::TakeDirtyLogRequest take;
  hv::v1::TakeDirtyLogResponse taken;
  grpc::ClientContext first;
  take.set_name("none");
  EXPECT_EQ(stub_->TakeDirtyLog(&first, take, &taken).error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext second;
  take.set_name("vm");
  ASSERT_TRUE(stub_->TakeDirtyLog(&second, take, &taken).ok());
  EXPECT_EQ(taken.dirty_pages(), 2u);
  hv::v1::TranslateAddressRequest translate;
  translate.set_name("vm");
  translate.set_vcpu(0);
  translate.set_address(0x1234);
  hv::v1::Translation translation;
  grpc::ClientContext third;
  ASSERT_TRUE(stub_->TranslateAddress(&third, translate, &translation).ok());
  EXPECT_EQ(translation.linear(), 0x1234u);
}

TEST_F(ServerTest, GraceBeyondAnHourIsRefused) {
  ASSERT_TRUE(Create("vm").ok());
  grpc::ClientContext context;
  hv::v1::StopMachineRequest request;
  request.set_name("vm");
  request.set_grace_seconds(3601);
  EXPECT_EQ(stub_->Stop(&context, request, &machine_).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, EventsBeginWithWhatIsAndFollowWhatHappens) {
  ASSERT_TRUE(Create("vm").ok());
  grpc::ClientContext context;
  hv::v1::WatchEventsRequest request;
  request.set_include_current(true);
  const auto reader = stub_->WatchEvents(&context, request);
  hv::v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.state(), hv::v1::MACHINE_STATE_CREATED);
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.kind(), hv::v1::EVENT_KIND_CURRENT_END);
  ASSERT_TRUE(Start("vm").ok());
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.state(), hv::v1::MACHINE_STATE_RUNNING);
  launcher_.Await("timer_svc")->Die({.by_signal = true, .code = 11});
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.kind(), hv::v1::EVENT_KIND_SERVICE_DIED);
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServerTest, CancelledWatchersAreForgotten) {
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    hv::v1::WatchEventsRequest request;
    request.set_include_current(true);
    const auto reader = stub_->WatchEvents(&context, request);
    hv::v1::Event event;
    ASSERT_TRUE(reader->Read(&event));
    context.TryCancel();
    reader->Finish();
  }
  server_.reset();  // returns when every stream is done
  EXPECT_EQ(events_.watchers(), 0u);
}

class ConsoleTest : public ServerTest {
 protected:
  ConsoleTest() { EXPECT_TRUE(Create("vm").ok()); }
  hv::v1::ConsoleRequest AttachTo(const std::string& name, uint64_t offset = 0) {
    hv::v1::ConsoleRequest request;
    request.mutable_attach()->set_name(name);
    request.mutable_attach()->set_from_offset(offset);
    return request;
  }
  hv::v1::ConsoleRequest Typed(const std::string& text) {
    hv::v1::ConsoleRequest request;
    request.set_input(text);
    return request;
  }
  ConsoleHub& hub() { return registry_.Find("vm").value()->console(); }
  grpc::ClientContext context_;
};

TEST_F(ConsoleTest, OutputComesWithItsOffsetsUntilTheMachineIsDeleted) {
  hub().Append("early ");
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm", 2)));
  hv::v1::ConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "rly ");
  EXPECT_EQ(response.offset(), 2u);
  hub().Append("late");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "late");
  EXPECT_EQ(response.offset(), 6u);
  ASSERT_TRUE(Delete("vm").ok());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ConsoleTest, TheFirstResponseComesAtOnceEvenIfThereIsNoOutput) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  hv::v1::ConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "");
  context_.TryCancel();
  stream->Finish();
}

TEST_F(ConsoleTest, AllOfALongOutputArrivesInOrder) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  std::string sent;
  for (int i = 0; i < 100'000; ++i) sent += std::to_string(i) + "\n";
  std::thread guest([&] {
    for (size_t at = 0; at < sent.size();) {
      const size_t room = hub().Room(ConsoleHub::Clock::now());
      const size_t piece = std::min({room, sent.size() - at, size_t{44}});
      hub().Append(std::string_view(sent).substr(at, piece));
      at += piece;
      if (piece == 0) std::this_thread::yield();
    }
  });
  std::string received;
  hv::v1::ConsoleResponse response;
  while (received.size() < sent.size() && stream->Read(&response)) {
    EXPECT_EQ(response.offset(), received.size());
    received += response.output();
  }
  guest.join();
  EXPECT_TRUE(received == sent);
  context_.TryCancel();
  stream->Finish();
}

TEST_F(ConsoleTest, AClientThatTypesNoMoreStillSees) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  ASSERT_TRUE(stream->WritesDone());
  hv::v1::ConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  hub().Append("after");
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "after");
  context_.TryCancel();
  stream->Finish();
}

TEST_F(ConsoleTest, WhatIsWrongWithTheFirstMessageIsSaid) {
  {
    const auto stream = stub_->Console(&context_);
    stream->Write(Typed("x"));
    hv::v1::ConsoleResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  grpc::ClientContext context;
  const auto stream = stub_->Console(&context);
  stream->Write(AttachTo("none"));
  hv::v1::ConsoleResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ConsoleTest, ASecondAttachIsRefused) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  stream->Write(AttachTo("vm"));
  hv::v1::ConsoleResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ConsoleTest, MoreInputThanTheGuestTakesWaitsAndIsNotLost) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  std::string sent;
  for (int i = 0; sent.size() < 4 * ConsoleHub::kInputBytes; ++i) sent += std::to_string(i) + " ";
  hub().SetPump(nullptr);  // this test is the pump
  std::thread client([&] {
    for (size_t at = 0; at < sent.size(); at += 10'000) {
      EXPECT_TRUE(stream->Write(Typed(sent.substr(at, 10'000))));
    }
  });
  std::string taken;
  while (taken.size() < sent.size()) {
    taken += hub().TakeInput(1000);
    std::this_thread::yield();
  }
  client.join();
  EXPECT_TRUE(taken == sent);
  context_.TryCancel();
  stream->Finish();
}

}  // namespace
}  // namespace hv::hvd
