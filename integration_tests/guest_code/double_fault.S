/* Faults while an event is delivered: which pairs make a double fault, and on which stack it comes (SDM
 * vol. 3, 6.15 and table 6-5). */
#include "integration_tests/guest_code/guest.inc"

#define LINEAR 0xc00000

.macro REMOVE_GATE vector
  movb $0x0e, IDT + \vector * 16 + 5
.endm

BEGIN(double_fault)
  SET_UP
  SET_GATE 8, on_double_fault, 0, 1
  movl $0, PAGE_DIRECTORY + 8 * 6
  invlpg LINEAR
  /* A page fault whose frame cannot be pushed, on the interrupt stack, with error code 0; RSP is that
   * of the instruction. */
  mov %rsp, %r8
  mov $LINEAR + 0x100, %esp
  mov $-1, %r14
  lea 2f(%rip), %r15
1:
  push %rax
2:
  EXPECT_EQ($8, %r14)
  EXPECT_EQ($0, %r13)
  EXPECT_EQ($AT(1b), %r12)
  EXPECT_EQ($(LINEAR + 0x100), %rbp)
  EXPECT_EQ($(IST1 - 48), %rbx)
  /* CR2 is the later one's: of the frame. */
  mov %cr2, %rax
  EXPECT_EQ($(LINEAR + 0xf8), %rax)
  /* Two contributory ones: #GP, whose gate is not present. */
  REMOVE_GATE 13
  mov $KERNEL_CODE, %ecx
  EXPECT_TRAP(8, 0, lldt %cx)
  SET_GATE 13, trap13
  /* A benign one first: what its delivery raises comes by itself, with EXT set. */
  REMOVE_GATE 6
  EXPECT_FAULT(11, 6 * 8 + 3, ud2)
  /* INT n: the same, EXT clear. */
  REMOVE_GATE 0x30
  EXPECT_FAULT(11, 0x30 * 8 + 2, int $0x30)
  /* A page fault, then a contributory one. */
  REMOVE_GATE 14
  EXPECT_TRAP(8, 0, mov LINEAR, %al)
  SET_GATE 14, trap14
  /* A contributory one, then a page fault, are delivered in turn. */
  mov %rsp, %r8
  mov $LINEAR + 0x100, %esp
  SET_GATE 14, on_page_fault, 0, 1
  SET_GATE 0, trap0
  mov $-1, %r14
  xor %ecx, %ecx
  lea 2f(%rip), %r15
1:
  div %ecx
2:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($2, %r13)
  EXPECT_EQ($AT(1b), %r12)
  /* An interrupt's vector does not make it an exception: one that comes as 14 is benign. */
  SET_GATE 14, trap14, 0, 1
  SET_GATE 15, trap15
  REMOVE_GATE 15
  lea 1f(%rip), %r15
  mov $15, %eax
  mov $-1, %r14
  sti
  out %eax, $INTERRUPT_PORT
  nop
1:
  cli
  EXPECT_EQ($11, %r14)
  EXPECT_EQ($(15 * 8 + 3), %r13)
  hlt
on_double_fault:
  mov %rsp, %rbx
  pop %r13
  mov $8, %r14
  mov (%rsp), %r12
  mov 24(%rsp), %rbp
  mov %r8, 24(%rsp)
  mov %r15, (%rsp)
  iretq
on_page_fault:
  pop %r13
  mov $14, %r14
  mov (%rsp), %r12
  mov %r8, 24(%rsp)
  mov %r15, (%rsp)
  iretq
TRAP 15, 0
TABLES
END(double_fault)
