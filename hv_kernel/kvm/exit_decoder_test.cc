// Every kind of exit, from pages as KVM leaves them.
#include "hv_kernel/kvm/exit_decoder.h"

#include <cstring>
#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace hv::kvm {
namespace {

// kvm_run and the page behind it, where KVM keeps the data of port I/O.
class ExitDecoderTest : public testing::Test {
 protected:
  static constexpr uint64_t kIoDataAt = 4096;
  struct alignas(4096) Pages {
    uint8_t bytes[3 * 4096] = {};
  };

  kvm_run& run() { return *reinterpret_cast<kvm_run*>(pages_->bytes); }
  uint8_t* io_data() { return pages_->bytes + kIoDataAt; }

  DecodedExit Io(bool out, uint16_t port, uint8_t size, uint32_t count) {
    run().exit_reason = KVM_EXIT_IO;
    run().io = {.direction = static_cast<uint8_t>(out ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN),
                .size = size,
                .port = port,
                .count = count,
                .data_offset = kIoDataAt};
    return DecodeExit(run());
  }
  DecodedExit Mmio(bool write, uint64_t address, uint32_t bytes) {
    run().exit_reason = KVM_EXIT_MMIO;
    run().mmio.phys_addr = address;
    run().mmio.len = bytes;
    run().mmio.is_write = write;
    return DecodeExit(run());
  }
  ExitReason ReasonOf(uint32_t exit_reason) {
    run().exit_reason = exit_reason;
    const DecodedExit decoded = DecodeExit(run());
    EXPECT_EQ(decoded.kind, ExitKind::kReason);
    return decoded.reason;
  }
  std::string Describe(uint32_t exit_reason) {
    run().exit_reason = exit_reason;
    return DescribeExit(run());
  }
  static void Expect(Transfer& transfer, ExitReason reason, uint64_t address, int width,
                     uint64_t data = 0) {
    ASSERT_TRUE(transfer.left());
    const Exit exit = transfer.Next();
    EXPECT_EQ(exit.reason, reason);
    EXPECT_EQ(exit.address, address);
    EXPECT_EQ(exit.width, width);
    EXPECT_EQ(exit.data, data);
  }

  std::unique_ptr<Pages> pages_ = std::make_unique<Pages>();
};

TEST_F(ExitDecoderTest, APortIsWrittenWithItsData) {
  std::memcpy(io_data(), "\x44\x33\x22\x11", 4);
  Transfer out = Io(true, 0xcf8, 4, 1).transfer;
  Expect(out, ExitReason::kPortWrite, 0xcf8, 4, 0x11223344);
  EXPECT_FALSE(out.left());
}

TEST_F(ExitDecoderTest, TheElementsOfAStringFollowOneAnother) {
  std::memcpy(io_data(), "\x01\x00\x02\x00\x03\x00", 6);
  Transfer out = Io(true, 0x1f0, 2, 3).transfer;
  for (uint64_t i = 1; i <= 3; ++i) Expect(out, ExitReason::kPortWrite, 0x1f0, 2, i);
  EXPECT_FALSE(out.left());
}

TEST_F(ExitDecoderTest, AnswersLandWhereKvmLooksForThem) {
  Transfer in = Io(false, 0x1f0, 2, 2).transfer;
  Expect(in, ExitReason::kPortRead, 0x1f0, 2);
  in.Answer(0xffff1234);
  Expect(in, ExitReason::kPortRead, 0x1f0, 2);
  in.Answer(0x5678);
  EXPECT_EQ(std::memcmp(io_data(), "\x34\x12\x78\x56\x00", 5), 0);
}

TEST_F(ExitDecoderTest, PortIoOfNoPossibleSizeIsNotUnderstood) {
  for (const uint8_t size : {0, 3, 8}) EXPECT_EQ(Io(true, 1, size, 1).kind, ExitKind::kReason);
  EXPECT_EQ(Io(false, 1, 1, 0).reason, ExitReason::kUnsupported);
}

TEST_F(ExitDecoderTest, MemoryIsAccessedInAlignedPieces) {
  std::memcpy(run().mmio.data, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
  Transfer whole = Mmio(true, 0xfee00000, 8).transfer;
  Expect(whole, ExitReason::kMmioWrite, 0xfee00000, 8, 0x8877665544332211);
  EXPECT_FALSE(whole.left());
  Transfer odd = Mmio(true, 0x1001, 7).transfer;
  Expect(odd, ExitReason::kMmioWrite, 0x1001, 1, 0x11);
  Expect(odd, ExitReason::kMmioWrite, 0x1002, 2, 0x3322);
  Expect(odd, ExitReason::kMmioWrite, 0x1004, 4, 0x77665544);
  EXPECT_FALSE(odd.left());
  Transfer zero = Mmio(true, 0, 8).transfer;
  Expect(zero, ExitReason::kMmioWrite, 0, 8, 0x8877665544332211);
}

TEST_F(ExitDecoderTest, PiecesOfAReadAreAnsweredOneByOne) {
  Transfer in = Mmio(false, 0x2002, 4).transfer;
  Expect(in, ExitReason::kMmioRead, 0x2002, 2);
  in.Answer(0xbbaa);
  Expect(in, ExitReason::kMmioRead, 0x2004, 2);
  in.Answer(0xddcc);
  EXPECT_EQ(std::memcmp(run().mmio.data, "\xaa\xbb\xcc\xdd\x00", 5), 0);
}

TEST_F(ExitDecoderTest, MemoryOfNoPossibleSizeIsNotUnderstood) {
  EXPECT_EQ(Mmio(true, 0, 0).reason, ExitReason::kUnsupported);
  EXPECT_EQ(Mmio(true, 0, 9).reason, ExitReason::kUnsupported);
}

TEST_F(ExitDecoderTest, WhatTheEngineSeesToItselfHasAKindOfItsOwn) {
  const auto kind_of = [this](uint32_t exit_reason) {
    run().exit_reason = exit_reason;
    return DecodeExit(run()).kind;
  };
  EXPECT_EQ(kind_of(KVM_EXIT_X86_RDMSR), ExitKind::kMsrRead);
  EXPECT_EQ(kind_of(KVM_EXIT_X86_WRMSR), ExitKind::kMsrWrite);
  EXPECT_EQ(kind_of(KVM_EXIT_SET_TPR), ExitKind::kPriority);
  EXPECT_EQ(kind_of(KVM_EXIT_DIRTY_RING_FULL), ExitKind::kDirtyRingFull);
}

TEST_F(ExitDecoderTest, TheLoopHearsOfTheRest) {
  EXPECT_EQ(ReasonOf(KVM_EXIT_HLT), ExitReason::kHalt);
  EXPECT_EQ(ReasonOf(KVM_EXIT_IRQ_WINDOW_OPEN), ExitReason::kInterruptWindow);
  EXPECT_EQ(ReasonOf(KVM_EXIT_INTR), ExitReason::kAttention);
  EXPECT_EQ(ReasonOf(KVM_EXIT_SHUTDOWN), ExitReason::kShutdown);
}

TEST_F(ExitDecoderTest, EveryOtherExitStopsTheMachineAndHasAName) {
  constexpr uint32_t kPastKnown = KVM_EXIT_NOTIFY + 20;
  for (uint32_t exit = 0; exit < kPastKnown; ++exit) {
    run().exit_reason = exit;
    EXPECT_FALSE(DescribeExit(run()).empty()) << exit;
    switch (exit) {
      case KVM_EXIT_IO:
      case KVM_EXIT_MMIO:
      case KVM_EXIT_X86_RDMSR:
      case KVM_EXIT_X86_WRMSR:
      case KVM_EXIT_SET_TPR:
      case KVM_EXIT_DIRTY_RING_FULL:
      case KVM_EXIT_HLT:
      case KVM_EXIT_IRQ_WINDOW_OPEN:
      case KVM_EXIT_INTR:
      case KVM_EXIT_SHUTDOWN: break;
      default: EXPECT_EQ(ReasonOf(exit), ExitReason::kUnsupported) << exit;
    }
  }
  EXPECT_EQ(Describe(kPastKnown), "exit reason " + std::to_string(kPastKnown));
}

TEST_F(ExitDecoderTest, AnInternalErrorSaysWhichAndWithWhat) {
  run().internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
  run().internal.ndata = 2;
  run().internal.data[0] = 0x8000030e;
  run().internal.data[1] = 0x31;
  EXPECT_EQ(Describe(KVM_EXIT_INTERNAL_ERROR),
            "an internal error of KVM: an exit while an event was being delivered; data "
            "0x8000030e 0x31");
  run().internal.suberror = 99;
  run().internal.ndata = 1000;  // more than the page has room for
  EXPECT_NE(Describe(KVM_EXIT_INTERNAL_ERROR).find("suberror 99; data 0x8000030e"),
            std::string::npos);
}

TEST_F(ExitDecoderTest, AnEmulationFailureShowsTheInstruction) {
  run().emulation_failure = {.suberror = KVM_INTERNAL_ERROR_EMULATION,
                             .ndata = 4,
                             .flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES,
                             .insn_size = 3,
                             .insn_bytes = {0x0f, 0x01, 0xd0}};
  EXPECT_EQ(Describe(KVM_EXIT_INTERNAL_ERROR),
            "an internal error of KVM: an instruction that KVM cannot emulate; bytes 0f 01 d0");
}

TEST_F(ExitDecoderTest, ExitsThatStopTheMachineSayWhatTheirFieldsSay) {
  run().hw.hardware_exit_reason = 0x1f;
  EXPECT_EQ(Describe(KVM_EXIT_UNKNOWN),
            "an exit of the hardware that KVM does not know: hardware exit reason 0x1f");
  run().fail_entry = {.hardware_entry_failure_reason = 0x80000021, .cpu = 3};
  EXPECT_EQ(Describe(KVM_EXIT_FAIL_ENTRY),
            "a failed entry into the guest: hardware entry failure reason 0x80000021 on CPU 3");
  run().ex = {.exception = 14, .error_code = 2};
  EXPECT_EQ(Describe(KVM_EXIT_EXCEPTION),
            "an exception of the guest that KVM does not handle: vector 14, error code 0x2");
  run().hypercall = {.nr = 12};
  EXPECT_EQ(Describe(KVM_EXIT_HYPERCALL), "a hypercall: number 0xc");
  run().debug.arch = {.exception = 1, .pc = 0x1000, .dr6 = 0x4000, .dr7 = 0x400};
  EXPECT_EQ(Describe(KVM_EXIT_DEBUG),
            "a debug event: exception 1 at 0x1000, DR6 0x4000, DR7 0x400");
  run().system_event = {.type = KVM_SYSTEM_EVENT_CRASH, .ndata = 1, .data = {7}};
  EXPECT_EQ(Describe(KVM_EXIT_SYSTEM_EVENT), "a system event: crash; data 0x7");
  run().notify = {.flags = 1};
  EXPECT_EQ(Describe(KVM_EXIT_NOTIFY), "a guest that opens no window for events: flags 0x1");
  run().tpr_access = {.rip = 0x2000, .is_write = 1};
  EXPECT_EQ(Describe(KVM_EXIT_TPR_ACCESS),
            "an access to the task priority register: at RIP 0x2000");
}

}  // namespace
}  // namespace hv::kvm
