// A machine's console over hvd's interface: what is typed and what is shown.
#include "hvd/api/console_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "hvd/api/server_fixture.h"
#include "hvd/streams/host_port.h"

namespace hv::hvd {
namespace {

class ConsoleStreamTest : public ServerFixture {
 protected:
  ConsoleStreamTest() { EXPECT_TRUE(Create("vm").ok()); }
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

TEST_F(ConsoleStreamTest, OutputComesWithItsOffsetsUntilTheMachineIsDeleted) {
  hub().Append("early ");
  hub().Announce();
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm", 2)));
  hv::v1::ConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "rly ");
  EXPECT_EQ(response.offset(), 2u);
  hub().Append("late");
  hub().Announce();
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "late");
  EXPECT_EQ(response.offset(), 6u);
  ASSERT_TRUE(Delete("vm").ok());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ConsoleStreamTest, TheFirstResponseComesAtOnceEvenIfThereIsNoOutput) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  hv::v1::ConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "");
  context_.TryCancel();
  stream->Finish();
}

TEST_F(ConsoleStreamTest, AllOfALongOutputArrivesInOrder) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  std::string sent;
  for (int i = 0; i < 100'000; ++i) sent += std::to_string(i) + "\n";
  std::thread guest([&] {
    for (size_t at = 0; at < sent.size();) {
      const size_t room = hub().Room(ConsoleHub::Clock::now());
      const size_t piece = std::min({room, sent.size() - at, size_t{44}});
      hub().Append(std::string_view(sent).substr(at, piece));
      hub().Announce();
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

TEST_F(ConsoleStreamTest, AClientThatTypesNoMoreStillSees) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  ASSERT_TRUE(stream->WritesDone());
  hv::v1::ConsoleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  hub().Append("after");
  hub().Announce();
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output(), "after");
  context_.TryCancel();
  stream->Finish();
}

TEST_F(ConsoleStreamTest, WhatIsWrongWithTheFirstMessageIsSaid) {
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

TEST_F(ConsoleStreamTest, ASecondAttachIsRefused) {
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  stream->Write(AttachTo("vm"));
  hv::v1::ConsoleResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ConsoleStreamTest, MoreInputThanTheGuestTakesWaitsAndIsNotLost) {
  // Once serial_svc's first credit is used up the machine's own pump takes nothing more.
  hub().Type(std::string(HostPort::kFirstInputCredit, 'x'));
  while (hub().HasInput()) std::this_thread::yield();
  const auto stream = stub_->Console(&context_);
  ASSERT_TRUE(stream->Write(AttachTo("vm")));
  std::string sent;
  for (int i = 0; sent.size() < 4 * ConsoleHub::kInputBytes; ++i) sent += std::to_string(i) + " ";
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
