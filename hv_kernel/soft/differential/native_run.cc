// How: an INT3 in Run() raises a signal whose handler replaces the interrupted context by the
// wanted one, so that sigreturn loads every register; the exception that ends the code raises
// another, whose handler notes the registers and puts the first context back.
#include "hv_kernel/soft/differential/native_run.h"

#include <asm/prctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "abi/vcpu_state.h"

namespace hv::soft::differential {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
constexpr int kSignalCount = 5;
constexpr uint64_t kSignalStackBytes = 64 << 10;
constexpr uint8_t kUsedComponents = 7;
// Linux's selectors (arch/x86/include/asm/segment.h).
constexpr greg_t kUserCs = 0x33, kUserCs32 = 0x23;
constexpr uint16_t kUserDs = 0x2b;

constexpr int kContextRegister[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                      REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                      REG_R12, REG_R13, REG_R14, REG_R15};

struct Switch {
  bool running = false;
  const MachineState* begin = nullptr;
  Ending* ending = nullptr;
  gregset_t caller;
};
Switch g_switch;

void Enter(ucontext_t* context) {
  std::memcpy(g_switch.caller, context->uc_mcontext.gregs, sizeof(gregset_t));
  const MachineState& state = *g_switch.begin;
  greg_t* gregs = context->uc_mcontext.gregs;
  for (int i = 0; i < 16; ++i) gregs[kContextRegister[i]] = static_cast<greg_t>(state.gpr[i]);
  gregs[REG_RIP] = static_cast<greg_t>(state.rip);
  // The lowest 16 bits are CS; sigreturn loads it.
  const bool narrow = state.width == CodeWidth::k32;
  gregs[REG_CSGSFS] = (gregs[REG_CSGSFS] & ~greg_t{0xffff}) | (narrow ? kUserCs32 : kUserCs);
  gregs[REG_EFL] = static_cast<greg_t>(state.rflags);
  auto* xsave = reinterpret_cast<uint8_t*>(context->uc_mcontext.fpregs);
  std::memcpy(xsave, state.xsave.data(), 28);
  std::memcpy(xsave + 32, state.xsave.data() + 32, 384);  // ST and XMM; then comes the kernel's own
  xsave[kXsaveHeaderOffset] |= kUsedComponents;
  std::memcpy(xsave + kYmmHighOffset, state.xsave.data() + kYmmHighOffset, 256);
  g_switch.running = true;
}

void Leave(ucontext_t* context) {
  Ending& ending = *g_switch.ending;
  greg_t* gregs = context->uc_mcontext.gregs;
  for (int i = 0; i < 16; ++i) {
    ending.state.gpr[i] = static_cast<uint64_t>(gregs[kContextRegister[i]]);
  }
  ending.state.rip = static_cast<uint64_t>(gregs[REG_RIP]);
  ending.state.rflags = static_cast<uint64_t>(gregs[REG_EFL]);
  ending.vector = static_cast<uint32_t>(gregs[REG_TRAPNO]);
  ending.error_code = static_cast<uint64_t>(gregs[REG_ERR]);
  if (ending.vector == 14) ending.fault_address = static_cast<uint64_t>(gregs[REG_CR2]);
  auto* xsave = reinterpret_cast<uint8_t*>(context->uc_mcontext.fpregs);
  std::memcpy(ending.state.xsave.data(), xsave, kXsaveBytes);
  std::memcpy(gregs, g_switch.caller, sizeof(gregset_t));
  // The vector registers are dead across Run()'s INT3; all it needs are the control words.
  const uint16_t control = 0x37f;
  const uint32_t mxcsr = 0x1f80;
  std::memcpy(xsave, &control, sizeof(control));
  std::memcpy(xsave + 24, &mxcsr, sizeof(mxcsr));
  xsave[kXsaveHeaderOffset] = static_cast<uint8_t>(xsave[kXsaveHeaderOffset] & ~kUsedComponents);
  g_switch.running = false;
}

void OnSignal(int signal, siginfo_t*, void* context) {
  if (g_switch.running) return Leave(static_cast<ucontext_t*>(context));
  if (signal == SIGTRAP && g_switch.begin != nullptr) {
    return Enter(static_cast<ucontext_t*>(context));
  }
  // Not ours: a defect of the test itself.
  ::signal(signal, SIG_DFL);
}

void MapAt(uint64_t address, size_t bytes, int protection) {
  void* at = mmap(reinterpret_cast<void*>(address), bytes, protection,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != reinterpret_cast<void*>(address)) {
    std::perror("mapping the differential test's arena");
    std::abort();
  }
}

// Separate, so that nothing lives in vector registers across the INT3.
[[gnu::noinline]] void SwitchThere() {
  asm volatile("int3" ::
                   : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                     "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

// What a run borrows from the thread and the process, given back at the end.
class Borrowed {
 public:
  explicit Borrowed(uint8_t* signal_stack) {
    const stack_t stack = {.ss_sp = signal_stack, .ss_flags = 0, .ss_size = kSignalStackBytes};
    sigaltstack(&stack, &previous_stack_);
    struct sigaction action {};
    action.sa_sigaction = OnSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int i = 0; i < kSignalCount; ++i) sigaction(kSignals[i], &action, &previous_[i]);
    // 32-bit code needs data segments; 64-bit code does not look at them.
    asm volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(uint32_t{kUserDs}));
    syscall(SYS_arch_prctl, ARCH_GET_GS, &previous_gs_base_);
    syscall(SYS_arch_prctl, ARCH_SET_GS, kGsBase);
  }
  ~Borrowed() {
    asm volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(0));
    syscall(SYS_arch_prctl, ARCH_SET_GS, previous_gs_base_);
    for (int i = 0; i < kSignalCount; ++i) sigaction(kSignals[i], &previous_[i], nullptr);
    sigaltstack(&previous_stack_, nullptr);
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  struct sigaction previous_[kSignalCount];
  stack_t previous_stack_;
  uint64_t previous_gs_base_ = 0;
};

}  // namespace

NativeRunner::NativeRunner() : signal_stack_(new uint8_t[kSignalStackBytes]) {
  MapAt(kDataFirst, kArenaBytes, PROT_READ | PROT_WRITE);
  MapAt(kCodeFirst, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC);
}

NativeRunner::~NativeRunner() {
  munmap(reinterpret_cast<void*>(kDataFirst), kArenaBytes);
  munmap(reinterpret_cast<void*>(kCodeFirst), kCodeBytes);
}

std::span<uint8_t> NativeRunner::code() {
  return {reinterpret_cast<uint8_t*>(kCodeFirst), kCodeBytes};
}

Ending NativeRunner::Run(const MachineState& state, std::span<const uint8_t> memory) {
  auto* arena = reinterpret_cast<uint8_t*>(kDataFirst);
  mprotect(arena + kDataBytes, kPage, PROT_READ | PROT_WRITE);
  std::memcpy(arena, memory.data(), kArenaBytes);
  mprotect(arena + kDataBytes, kPage, PROT_READ);
  Ending ending;
  g_switch.begin = &state;
  g_switch.ending = &ending;
  {
    const Borrowed borrowed(signal_stack_.get());
    SwitchThere();
  }
  g_switch.begin = nullptr;
  ending.memory.assign(arena, arena + kArenaBytes);
  Normalise(ending.state.xsave);
  return ending;
}

}  // namespace hv::soft::differential
