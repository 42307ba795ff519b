// The code of random programs.
#include <asmjit/x86.h>

#include <iterator>

#include "hv_kernel/soft/differential/arena.h"
#include "hv_kernel/soft/differential/program.h"
#include "hv_kernel/soft/differential/sweep.h"

namespace hv::soft::differential {
namespace {

namespace x86 = asmjit::x86;
using Kind = Item::Kind;

constexpr uint64_t kMostTurns = 6;
// Data lies in the first half of the arena, the stack at its end: pointers do not come that far.
constexpr uint64_t kPointerRange = kDataBytes / 2;
constexpr uint64_t kStackTop = kDataFirst + kDataBytes - 512;

const x86::Gp kScratch[] = {x86::rax, x86::rcx, x86::rdx, x86::r8, x86::r9, x86::r10, x86::r11};
const x86::Gp kPointers[] = {x86::rbx, x86::rbp, x86::rsi, x86::rdi, x86::r15};

// Near the ends of pages more often than not.
uint64_t RandomPointer(std::mt19937_64& random) {
  const uint64_t offset = kPage / 2 + random() % (kPointerRange - kPage / 2);
  if (random() % 3 == 0) return kDataFirst + offset;
  return kDataFirst + (offset | (kPage - 1)) - random() % 320;
}

class Assembling {
 public:
  Assembling(const Program& program, uint64_t address) : program_(program) {
    code_.init(asmjit::Environment::host(), address);
    code_.attach(&a_);
    for (size_t i = 0; i < program.functions.size(); ++i) functions_.push_back(a_.newLabel());
  }

  std::vector<uint8_t> Run() {
    std::mt19937_64 random(program_.seed);
    for (const x86::Gp& pointer : kPointers) a_.mov(pointer, RandomPointer(random));
    for (const x86::Gp& counter : {x86::r12, x86::r13, x86::r14}) a_.xor_(counter, counter);
    a_.mov(x86::rsp, kStackTop - random() % 1024 / 8 * 8);
    for (size_t i = 0; i < program_.functions.size(); ++i) {
      a_.bind(functions_[i]);
      function_ = i;
      frame_ = {};
      Items(program_.functions[i]);
      if (i == 0) {
        a_.int3();
      } else {
        a_.ret();
      }
    }
    code_.flatten();
    code_.resolveUnresolvedLinks();
    code_.relocateToBase(code_.baseAddress());
    const asmjit::CodeBuffer& buffer = code_.textSection()->buffer();
    return {buffer.data(), buffer.data() + buffer.size()};
  }

 private:
  // What may be stored to by RSP: that many bytes, the first so far above it.
  struct Frame {
    uint64_t above = 0;
    uint64_t bytes = 0;
  };

  uint64_t Roll(uint64_t below) { return random_() % below; }
  const x86::Gp& Scratch() { return kScratch[Roll(std::size(kScratch))]; }
  const x86::Gp& Pointer() { return kPointers[Roll(std::size(kPointers))]; }

  // Somewhere in the data, or in the frame that is open.
  x86::Mem Place(uint32_t bytes) {
    if (frame_.bytes >= bytes && Roll(3) == 0) {
      const uint64_t at = frame_.above + Roll(frame_.bytes - bytes + 1);
      return x86::ptr(x86::rsp, static_cast<int32_t>(at), bytes);
    }
    const auto displacement = static_cast<int32_t>(Roll(192)) - 64;
    if (Roll(4) != 0) return x86::ptr(Pointer(), displacement, bytes);
    // An index that stays small.
    const x86::Gp index = Scratch();
    a_.mov(index.r32(), static_cast<int32_t>(Roll(32)));
    return x86::ptr(Pointer(), index, static_cast<uint32_t>(Roll(4)), displacement, bytes);
  }

  x86::Gp Sized(const x86::Gp& reg, uint32_t bytes) {
    switch (bytes) {
      case 8: return reg;
      case 4: return reg.r32();
      case 2: return reg.r16();
      default: return reg.r8();
    }
  }

  void Operate(const asmjit::Operand_& to, const asmjit::Operand_& from) {
    static constexpr x86::Inst::Id kOperations[] = {
        x86::Inst::kIdAdd, x86::Inst::kIdSub, x86::Inst::kIdAdc, x86::Inst::kIdSbb,
        x86::Inst::kIdXor, x86::Inst::kIdAnd, x86::Inst::kIdOr,  x86::Inst::kIdCmp};
    a_.emit(kOperations[Roll(std::size(kOperations))], to, from);
  }

  void Items(const std::vector<Item>& items) {
    for (const Item& item : items) {
      random_.seed(item.seed);
      One(item);
    }
  }

  void One(const Item& item) {
    const uint32_t bytes = 1u << Roll(4);
    switch (item.kind) {
      case Kind::kArithmetic: Operate(Sized(Scratch(), bytes), Sized(Scratch(), bytes)); break;
      case Kind::kLoad: {
        const x86::Mem place = Place(bytes);
        if (Roll(2) == 0) {
          a_.mov(Sized(Scratch(), bytes), place);
        } else {
          Operate(Sized(Scratch(), bytes), place);
        }
        break;
      }
      case Kind::kStore: {
        const x86::Mem place = Place(bytes);
        a_.mov(place, Sized(Scratch(), bytes));
        break;
      }
      case Kind::kModify: {
        const x86::Mem place = Place(bytes);
        Operate(place, Sized(Scratch(), bytes));
        break;
      }
      case Kind::kLocked: Locked(bytes); break;
      case Kind::kVector: Vector(); break;
      case Kind::kMovePointer: MovePointer(); break;
      case Kind::kFlags: Flags(); break;
      case Kind::kString: String(bytes); break;
      case Kind::kIndirectJump: IndirectJump(); break;
      case Kind::kRewrite: Rewrite(); break;
      case Kind::kFault: a_.mov(x86::qword_ptr_abs(kReadOnlyPage + Roll(64)), Scratch()); break;
      case Kind::kSweep: SweepThrough(); break;
      case Kind::kCall: a_.call(functions_[function_ + 1]); break;
      case Kind::kSkip: Skip(item.body); break;
      case Kind::kLoop: Loop(item.body); break;
      case Kind::kFrame: InFrame(item.body); break;
    }
  }

  // At any alignment inside a line: an access to two lines stops all of the host.
  void Locked(uint32_t bytes) {
    constexpr uint64_t kLine = 64;
    const uint64_t at = kDataFirst + Roll(kPointerRange / kLine) * kLine + Roll(kLine - bytes + 1);
    x86::Mem place = x86::ptr_abs(at, bytes);
    const x86::Gp reg = Sized(Scratch(), bytes);
    switch (Roll(3)) {
      case 0: a_.lock().xadd(place, reg); break;
      case 1: a_.lock().cmpxchg(place, reg); break;
      default: a_.lock().add(place, reg);
    }
  }

  void Vector() {
    const x86::Xmm xmm = x86::xmm(static_cast<uint32_t>(Roll(16)));
    const x86::Ymm ymm = xmm.ymm();
    const bool wide = Roll(2) == 0;
    const x86::Mem place = Place(wide ? 32 : 16);
    switch (Roll(3)) {
      case 0: wide ? a_.vmovdqu(ymm, place) : a_.movdqu(xmm, place); break;
      case 1: wide ? a_.vmovdqu(place, ymm) : a_.movdqu(place, xmm); break;
      default: wide ? a_.vpaddd(ymm, ymm, place) : a_.vpxor(xmm, xmm, place);
    }
  }

  void MovePointer() {
    const x86::Gp& pointer = Pointer();
    const auto by = static_cast<int32_t>(Roll(17)) - 8;
    switch (Roll(6)) {
      case 0: a_.add(pointer, by); break;
      case 1: a_.sub(pointer, by); break;
      case 2: a_.lea(pointer, x86::ptr(pointer, by)); break;
      case 3: a_.inc(pointer); break;
      case 4: a_.dec(pointer); break;
      default: a_.mov(pointer, RandomPointer(random_));
    }
  }

  void Flags() {
    switch (Roll(5)) {
      case 0: a_.setc(Scratch().r8()); break;
      case 1: a_.cmc(); break;
      case 2: a_.cmovs(Scratch(), Scratch()); break;
      case 3:
        a_.pushfq();
        a_.pop(Scratch());
        break;
      default:
        a_.pushfq();
        Operate(Scratch(), Scratch());
        a_.popfq();
    }
  }

  // From and to the ends of pages, those of the arena included: some of them fault half-way.
  void String(uint32_t bytes) {
    const auto end = [&] {
      const uint64_t page = kDataFirst + kPage * (1 + Roll(Roll(16) == 0 ? 5 : 2));
      return page - Roll(160);
    };
    a_.mov(x86::rsi, end());
    a_.mov(x86::rdi, kDataFirst + kPage * (1 + Roll(2)) - Roll(160));
    if (Roll(24) == 0) a_.mov(x86::rdi, kReadOnlyPage - Roll(64));
    a_.mov(x86::ecx, static_cast<uint32_t>(Roll(40)));
    const bool down = Roll(4) == 0;
    if (down) a_.std();
    // Of bytes; wider ones have the next opcode.
    static constexpr uint8_t kMovs = 0xa4, kStos = 0xaa, kCmps = 0xa6, kScas = 0xae;
    static constexpr uint8_t kStrings[] = {kMovs, kStos, kCmps, kScas};
    constexpr uint8_t kOperandSize = 0x66, kRexW = 0x48, kRepne = 0xf2, kRep = 0xf3;
    const uint8_t opcode = kStrings[Roll(std::size(kStrings))];
    std::vector<uint8_t> encoded{opcode == kScas ? kRepne : kRep};
    if (bytes == 2) encoded.push_back(kOperandSize);
    if (bytes == 8) encoded.push_back(kRexW);
    encoded.push_back(static_cast<uint8_t>(opcode + (bytes == 1 ? 0 : 1)));
    a_.embed(encoded.data(), encoded.size());
    if (down) a_.cld();
    a_.mov(x86::rsi, RandomPointer(random_));
    a_.mov(x86::rdi, RandomPointer(random_));
  }

  void IndirectJump() {
    const asmjit::Label there = a_.newLabel();
    const x86::Gp& reg = Scratch();
    a_.lea(reg, x86::ptr(there));
    a_.jmp(reg);
    a_.ud2();
    a_.bind(there);
  }

  // Stores the immediate of an instruction that follows.
  void Rewrite() {
    const asmjit::Label there = a_.newLabel();
    constexpr uint8_t kAddEdxByte[] = {0x83, 0xc2, 0x01};
    a_.lea(x86::r11, x86::ptr(there));
    a_.mov(x86::byte_ptr(x86::r11, 2), x86::al);
    a_.bind(there);
    a_.embed(kAddEdxByte, sizeof(kAddEdxByte));
  }

  void SweepThrough() {
    EmitSweep(a_, random_, {.first = kDataFirst, .bytes = kPointerRange});
    for (const x86::Gp& pointer : kPointers) a_.mov(pointer, RandomPointer(random_));
  }

  void Skip(const std::vector<Item>& body) {
    static constexpr x86::Inst::Id kJumps[] = {x86::Inst::kIdJz,  x86::Inst::kIdJc,
                                               x86::Inst::kIdJs,  x86::Inst::kIdJg,
                                               x86::Inst::kIdJbe, x86::Inst::kIdJo};
    const asmjit::Label after = a_.newLabel();
    if (Roll(2) == 0) a_.cmp(Scratch(), Scratch());
    a_.emit(kJumps[Roll(std::size(kJumps))], after);
    Items(body);
    a_.bind(after);
  }

  void Loop(const std::vector<Item>& body) {
    const asmjit::Label again = a_.newLabel();
    const uint64_t turns = 1 + Roll(kMostTurns);
    a_.push(x86::r12);
    a_.mov(x86::r12, turns);
    a_.bind(again);
    const Frame before = frame_;
    frame_.above += 8;
    Items(body);
    frame_ = before;
    a_.dec(x86::r12);
    a_.jnz(again);
    a_.pop(x86::r12);
  }

  void InFrame(const std::vector<Item>& body) {
    const Frame before = frame_;
    const uint64_t pushes = Roll(5);
    const uint64_t bytes = Roll(28) * 8;
    for (uint64_t i = 0; i < pushes; ++i) a_.push(kPointers[i]);
    a_.sub(x86::rsp, bytes);
    frame_ = {.above = 0, .bytes = bytes};
    Items(body);
    frame_ = before;
    a_.add(x86::rsp, bytes);
    for (uint64_t i = pushes; i-- > 0;) a_.pop(kPointers[i]);
  }

  const Program& program_;
  asmjit::CodeHolder code_;
  x86::Assembler a_;
  std::vector<asmjit::Label> functions_;
  std::mt19937_64 random_;
  size_t function_ = 0;
  Frame frame_;
};

}  // namespace

std::vector<uint8_t> Assemble(const Program& program, uint64_t address) {
  return Assembling(program, address).Run();
}

}  // namespace hv::soft::differential
