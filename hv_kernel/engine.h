// The contract between hv_kernel's run loop and whatever executes guest instructions.
//
// An engine enters and leaves guests; it knows no device, no interrupt controller and no timer.
// What an instruction needs from the rest of the machine comes out of Run() as an Exit and goes
// back in through Complete*(). Everything shared by engines (routing, injection protocol,
// statistics) lives above this line, once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "abi/cpuid_table.h"
#include "abi/route_table.h"
#include "abi/vcpu_state.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hv {

enum class ExitReason : uint8_t {
  kAttention,        // the attention word was not zero; RIP is between two instructions
  kInterruptWindow,  // asked for with RequestInterruptWindow, now open
  kPortRead,         // address, width; wants CompleteRead
  kPortWrite,        // address, width, data
  kMmioRead,         // address, width; wants CompleteRead
  kMmioWrite,        // address, width, data
  kMsrRead,          // address = index; wants CompleteRead or CompleteWithFault
  kMsrWrite,         // address = index, data; wants CompleteWrite or CompleteWithFault; also says
                     // that the guest moved its TSC: IA32_TSC_ADJUST has the new value
  kCr8Read,          // wants CompleteRead
  kCr8Write,         // data = new CR8; wants CompleteWrite or CompleteWithFault
  kHalt,             // HLT executed; RIP is after it
  kShutdown,         // triple fault
  kUnsupported,  // an instruction or a mode the engine cannot run; VcpuEngine::Describe() says what
};

struct Exit {
  ExitReason reason;
  uint8_t width = 0;  // bytes: 1, 2, 4, 8
  uint64_t address = 0;
  uint64_t data = 0;
};

// Where an engine hands over the late writes that did not leave the guest by themselves
// (Engine::SetRoutes). On the thread that calls the vCPU, inside that call.
class LateWriteSink {
 public:
  virtual ~LateWriteSink() = default;
  // `writes`, kPortWrite and kMmioWrite, in the order in which they were made. An engine may not
  // know by whom: `anyones`, by this vCPU or another. When this returns, nothing that the vCPUs
  // that made them ask for next can overtake them.
  virtual void Serve(std::span<const Exit> writes, bool anyones) = 0;
};

// One guest CPU. All calls from the one thread that runs it.
//
// Extended state (x87, SSE, AVX, MXCSR) takes longer to save and restore than the rest of an exit.
// RunHolding() may therefore leave the guest's in the thread's registers. Until ReleaseRegisters()
// the thread then runs nothing but code compiled with GENERAL_REGISTERS_COPTS (base), and of this
// class calls only Complete*(), CanTake*(), Request*Window() and RunHolding() itself. System calls
// and signal handlers keep the registers and may come at any time.
class VcpuEngine {
 public:
  virtual ~VcpuEngine() = default;

  // Runs the guest until something needs the loop. REQUIRES: the last exit was completed.
  virtual Exit Run() = 0;

  // As Run(), but the guest's extended state may still be in the registers afterwards.
  virtual Exit RunHolding() { return Run(); }
  // Gives the registers back to the host. Nothing to do when it has them.
  virtual void ReleaseRegisters() {}

  // Any thread, after a release store to `attention`: brings the thread out of Run() to look.
  // Nothing to do where Run() looks by itself (Engine::needs_kicks).
  virtual void Kick() {}

  // Answers of the last exit. kPortWrite and kMmioWrite need none: the instruction has retired.
  virtual void CompleteRead(uint64_t value) = 0;
  virtual void CompleteWrite() = 0;
  virtual void CompleteWithFault() = 0;  // the instruction takes #GP(0) instead

  // True when a maskable interrupt can be taken at once: RFLAGS.IF set, no STI or MOV SS shadow,
  // no event on its way.
  virtual bool CanTakeInterrupt() const = 0;
  virtual bool CanTakeNmi() const = 0;
  // REQUIRES: CanTakeInterrupt(), CanTakeNmi(). Taken before the next instruction.
  virtual void InjectInterrupt(uint8_t vector) = 0;
  virtual void InjectNmi() = 0;
  // While on, Run() returns kInterruptWindow as soon as CanTakeInterrupt() (or CanTakeNmi(), if
  // that is what is wanted) turns true.
  virtual void RequestInterruptWindow(bool on) = 0;
  virtual void RequestNmiWindow(bool on) = 0;

  virtual void GetState(hv_vcpu_state& state) const = 0;
  // InvalidArgument when the state is not one a CPU can be in (SDM vol. 3, 27.3.1).
  virtual absl::Status SetState(const hv_vcpu_state& state) = 0;

  // For error reports, in one line: what could not be run, with the bytes at RIP. Registers are
  // GetState's.
  virtual std::string Describe() const = 0;
  // Up to 15; empty when RIP is not mapped.
  virtual std::string BytesAtRip() const = 0;
};

struct VcpuConfig {
  uint32_t index = 0;
  uint32_t apic_id = 0;
  // Looked at by Run() at least once each block of guest code, or before the guest is entered and
  // when the thread is kicked.
  const std::atomic<uint32_t>* attention = nullptr;
  // Where an engine that needs kicks says that it does: not zero while only a kick makes Run() look
  // (abi/vcpu_page.h has the order of loads and stores). May be null.
  std::atomic<uint32_t>* inside = nullptr;
  std::span<const hv_cpuid_entry> cpuid;  // outlives the engine
  // Null: SetRoutes is given no route with late writes.
  LateWriteSink* late_writes = nullptr;
};

// One machine. Thread-safe where not said otherwise.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;
  // Whether Run() has to be made to look at `attention` (VcpuEngine::Kick).
  virtual bool needs_kicks() const { return false; }

  // Replaces the map of guest RAM. `ram` is the whole RAM segment, mapped in this process;
  // `dirty_log` is null or one bit a page of it. Afterwards no vCPU writes a page of a slot with
  // HV_MEMORY_LOG_DIRTY without setting its bit again, at the latest as it leaves the guest (pages
  // that it only reads may be marked too): also the same map, given once more, begins a new round.
  // InvalidArgument, and the old map stays in force: a slot does not lie in `ram`. REQUIRES: no
  // vCPU is inside Run().
  virtual absl::Status SetMemory(std::span<const hv_memory_slot> slots, std::span<std::byte> ram,
                                 std::atomic<uint64_t>* dirty_log) = 0;

  // The routes of the map, valid (Router). Writes inside those with HV_ROUTE_LATE_WRITES need not
  // leave the guest one by one: they may come out by LateWriteSink instead, before anything else
  // that the vCPU that made them leaves for, and some milliseconds after they were made at the
  // latest. Of those inside routes with HV_ROUTE_COUNTED_WRITES the engine may keep the count
  // itself (CountedWrites). What it does not, leaves the guest as any write. On an error all do.
  // REQUIRES: no vCPU is inside Run().
  virtual absl::Status SetRoutes(std::span<const hv_route>) { return absl::OkStatus(); }
  virtual uint64_t CountedWrites() const { return 0; }

  virtual absl::StatusOr<std::unique_ptr<VcpuEngine>> CreateVcpu(const VcpuConfig& config) = 0;

  // Counters by name, for `hvctl stats --engine`.
  struct Counter {
    std::string name;
    uint64_t value;
  };
  virtual std::vector<Counter> Counters() const = 0;
};

}  // namespace hv
