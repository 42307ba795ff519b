/* Single step, breakpoints by debug register, and the shadows that hold them off (SDM vol. 3,
 * chapter 17). */
#include "integration_tests/guest_code/guest.inc"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define DE (1 << 3)
#define GENERAL_DETECT (1 << 13)
/* DR7 of breakpoint 0: enabled, kind (0 execution, 1 write, 2 port, 3 access), length. */
#define BYTE 0
#define WORD 1
#define DWORD 3
#define QWORD 2
#define BREAKPOINT(kind, length) (0x402 | (kind) << 16 | (length) << 18)

#define SET_DEBUG(value, reg)      \
  mov $value, %eax                ; \
  mov %rax, reg
#define CLEAR_DR6 SET_DEBUG(0xffff0ff0, %dr6)
/* What DR6 has gathered, and how often the handler ran since it was last asked. */
#define EXPECT_HITS(count, dr6_bits) \
  EXPECT_EQ($count, %rbp)         ; \
  mov %dr6, %rax                  ; \
  and $0xe00f, %eax               ; \
  EXPECT_EQ($dr6_bits, %eax)      ; \
  CLEAR_DR6                       ; \
  xor %ebp, %ebp
#define STEP                       \
  pushfq                          ; \
  orq $0x100, (%rsp)              ; \
  popfq
#define STOP_STEPPING              \
  pushfq                          ; \
  andq $~0x100, (%rsp)            ; \
  popfq

BEGIN(debugging)
  SET_UP
  SET_GATE 1, on_debug
  xor %ebp, %ebp
  CLEAR_DR6
  /* POPF with TF: a trap after each instruction that follows, and none in the handler. */
  STEP
  nop
  mov $3, %ecx
  add $4, %ecx
  STOP_STEPPING
  nop
  EXPECT_EQ($7, %rcx)
  /* NOP, MOV, ADD, PUSHF, AND, POPF: POPF is still stepped, as TF was set when it began. */
  EXPECT_HITS(6, 0x4000)
  /* PUSHF under single step shows TF. */
  STEP
  pushfq
  pop %rcx
  STOP_STEPPING
  xor %ebp, %ebp
  CLEAR_DR6
  test $0x100, %ecx
  jnz 1f
  FAIL
1:
  /* The trap pushes the next instruction; a repeated one is stepped an iteration at a time. */
  mov $SCRATCH, %edi
  mov $3, %ecx
  STEP
  rep stosb
1:
  STOP_STEPPING
  EXPECT_EQ($0, %rcx)
  EXPECT_HITS(6, 0x4000)
  /* MOV SS holds the trap off until after the next instruction. */
  mov %ss, %ecx
  STEP
  mov %ecx, %ss
  nop
  STOP_STEPPING
  EXPECT_HITS(4, 0x4000)
  /* INT n clears TF on its way: no step inside the handler, none for INT itself. */
  SET_GATE 0x30, on_interrupt
  STEP
  int $0x30
  STOP_STEPPING
  EXPECT_HITS(3, 0x4000)
  /* SYSCALL with TF masked does not step: the first trap is after the kernel's RET. */
  mov $MSR_STAR, %ecx
  mov $((USER_CODE32 << 16) | KERNEL_CODE), %edx
  xor %eax, %eax
  wrmsr
  mov $MSR_LSTAR, %ecx
  xor %edx, %edx
  mov $AT(on_system_call), %eax
  wrmsr
  mov $MSR_SFMASK, %ecx
  mov $0x100, %eax
  wrmsr
  STEP
  syscall
  STOP_STEPPING
  EXPECT_HITS(4, 0x4000)
  /* INT1 is a #DB that tells DR6 nothing. */
  .byte 0xf1
  EXPECT_HITS(1, 0)
  /* An execution breakpoint is a fault: the handler sees the instruction not yet done, and sets RF to
   * get past it. What is pushed has RF clear. */
  SET_GATE 1, on_breakpoint
  SET_DEBUG(AT(1f), %dr0)
  SET_DEBUG(BREAKPOINT(0, BYTE), %dr7)
  mov $1, %ecx
1:
  inc %ecx
  EXPECT_EQ($1, %rdx)
  EXPECT_EQ($2, %rcx)
  EXPECT_EQ($AT(1b), %r12)
  test $0x10000, %r13d
  jz 2f
  FAIL
2:
  EXPECT_HITS(1, 1)
  /* RF is for one instruction: a loop hits each time round. */
  SET_DEBUG(AT(1f), %dr0)
  mov $4, %ecx
1:
  loop 1b
  EXPECT_HITS(4, 1)
  /* On a repeated instruction it hits once, at its start. */
  SET_DEBUG(AT(1f), %dr0)
  mov $SCRATCH, %edi
  mov $5, %ecx
1:
  rep stosb
  EXPECT_EQ($0, %rcx)
  EXPECT_HITS(1, 1)
  /* Not on the instruction after MOV SS. */
  SET_DEBUG(AT(1f), %dr0)
  mov %ss, %ecx
  mov %ecx, %ss
1:
  nop
  EXPECT_HITS(0, 0)
  /* On an instruction that faults: the breakpoint comes first, then the fault, which pushes RF. */
  SET_GATE 6, on_undefined
  SET_DEBUG(AT(1f), %dr0)
1:
  ud2
  test $0x10000, %r13d
  jnz 2f
  FAIL
2:
  EXPECT_HITS(1, 1)
  /* On an instruction that lies on two pages and reads from two. */
  SET_DEBUG(0x400ffd, %dr0)
  movw $0x8b48, 0x400ffd               /* mov SCRATCH + 0xffc, %rcx; ret */
  movw $0x250c, 0x400fff
  movl $(SCRATCH + 0xffc), 0x401001
  movb $0xc3, 0x401005
  movl $0x11223344, SCRATCH + 0xffc
  movl $0x55667788, SCRATCH + 0x1000
  mov $0x400ffd, %esi
  call *%rsi
  movabs $0x5566778811223344, %rax
  EXPECT_EQ(%rax, %rcx)
  EXPECT_HITS(1, 1)
  /* A data breakpoint on writes is a trap: the store is done; a load is none of its business. */
  SET_GATE 1, on_debug
  SET_DEBUG(0x400, %dr7)
  movl $0, SCRATCH
  SET_DEBUG(SCRATCH, %dr1)
  SET_DEBUG(0x00d0040c, %dr7)
  movl $5, SCRATCH
1:
  EXPECT_EQ($AT(1b), %r12)
  mov SCRATCH, %ecx
  EXPECT_EQ($5, %rcx)
  EXPECT_HITS(1, 2)
  /* Nor are stores beside it; those that overlap it are. */
  movb $1, SCRATCH - 1
  movb $1, SCRATCH + 4
  EXPECT_HITS(0, 0)
  movb $1, SCRATCH + 3
  movq $1, SCRATCH - 4
  EXPECT_HITS(2, 2)
  SET_DEBUG(0x400, %dr7)
  movl $6, SCRATCH
  EXPECT_HITS(0, 0)
  /* Reads and writes; by the stack; by a vector; by a locked instruction; read and modified: once. */
  SET_DEBUG(SCRATCH + 0x100, %dr0)
  SET_DEBUG(BREAKPOINT(3, QWORD), %dr7)
  mov SCRATCH + 0x100, %ecx
  mov %rcx, SCRATCH + 0x100
  EXPECT_HITS(2, 1)
  mov %rsp, %r8
  mov $SCRATCH + 0x108, %esp
  push %rcx
  mov %r8, %rsp
  EXPECT_HITS(1, 1)
  movups SCRATCH + 0xf8, %xmm0
  EXPECT_HITS(1, 1)
  lock incl SCRATCH + 0x104
  EXPECT_HITS(1, 1)
  /* A repeated instruction stops after the iteration that hit, and goes on. */
  SET_DEBUG(BREAKPOINT(1, BYTE), %dr7)
  mov $SCRATCH + 0xfe, %edi
  mov $8, %ecx
  xor %ebx, %ebx
  rep stosb
  EXPECT_EQ($0, %rcx)
  EXPECT_EQ($5, %rbx)
  EXPECT_HITS(1, 1)
  /* A store that faults hits nothing. */
  movl $0, PAGE_DIRECTORY + 8 * 6
  invlpg 0xc00000
  SET_DEBUG(0xbffffc, %dr0)
  SET_DEBUG(BREAKPOINT(1, DWORD), %dr7)
  EXPECT_FAULT(14, 2, movq $1, 0xbffffc)
  EXPECT_HITS(0, 0)
  /* With a single step, both are told at once. */
  movl $(0xc00000 | 0xe7), PAGE_DIRECTORY + 8 * 6
  SET_DEBUG(SCRATCH, %dr0)
  STEP
  movl $1, SCRATCH
  STOP_STEPPING
  EXPECT_HITS(4, 0x4001)
  /* Ports, if CR4.DE says so. */
  SET_DEBUG(0x80, %dr0)
  SET_DEBUG(BREAKPOINT(2, BYTE), %dr7)
  mov %cr4, %rax
  or $DE, %eax
  mov %rax, %cr4
  out %al, $0x80
1:
  EXPECT_EQ($AT(1b), %r12)
  out %al, $0x81
  EXPECT_HITS(1, 1)
  /* DR4 and DR5 are others' names until CR4.DE. */
  SET_GATE 6, trap6
  EXPECT_FAULT(6, 0, .byte 0x0f, 0x21, 0xe0)
  mov %cr4, %rax
  and $~DE, %eax
  mov %rax, %cr4
  .byte 0x0f, 0x21, 0xe1             /* mov %dr4, %rcx */
  mov %dr6, %rax
  EXPECT_EQ(%rax, %rcx)
  /* Reserved bits: those of the upper half fault, those of the lower have their fixed values. */
  mov $1, %ecx
  shl $32, %rcx
  EXPECT_FAULT(13, 0, mov %rcx, %dr6)
  EXPECT_FAULT(13, 0, mov %rcx, %dr7)
  xor %ecx, %ecx
  mov %rcx, %dr6
  mov %dr6, %rcx
  mov $0xffff0ff0, %eax
  EXPECT_EQ(%rax, %rcx)
  xor %ecx, %ecx
  mov %rcx, %dr7
  mov %dr7, %rcx
  EXPECT_EQ($0x400, %rcx)
  /* General detect: MOV DR is a fault, and the bit is clear for the handler. */
  SET_GATE 1, on_general_detect
  SET_DEBUG(0x400 | GENERAL_DETECT, %dr7)
1:
  mov %dr0, %rax
  EXPECT_EQ($AT(1b), %r12)
  EXPECT_EQ($0x400, %rdx)
  EXPECT_HITS(1, 0x2000)
  hlt
on_debug:
  inc %ebp
  mov (%rsp), %r12
  mov %ecx, %ebx
  iretq
on_breakpoint:
  inc %ebp
  mov %ecx, %edx
  mov (%rsp), %r12
  mov 16(%rsp), %r13
  orq $0x10000, 16(%rsp)
  iretq
on_general_detect:
  inc %ebp
  mov (%rsp), %r12
  mov %dr7, %rdx
  iretq
on_undefined:
  mov 16(%rsp), %r13
  addq $2, (%rsp)
  iretq
on_interrupt:
  nop
  iretq
on_system_call:
  nop
  /* Back to ring 0, as SYSRET would not. */
  push %rcx
  push %r11
  popfq
  ret
TABLES
END(debugging)
