/* When interrupts and NMIs are taken (SDM vol. 3, 6.7 and 6.8). The board brings them as soon as the
 * engine says that they can be. */
#include "integration_tests/guest_code/guest.inc"

#define VECTOR 0x21
#define REQUEST_INTERRUPT          \
  mov $VECTOR, %eax               ; \
  out %eax, $INTERRUPT_PORT
#define REQUEST_NMI out %eax, $NMI_PORT
/* What the handler saw: the RIP it will go back to. */
#define EXPECT_TAKEN_BEFORE(label) \
  EXPECT_EQ($AT(label), %r12)     ; \
  xor %r12d, %r12d

BEGIN(interrupts)
  SET_UP
  SET_GATE VECTOR, on_interrupt
  SET_GATE 2, on_nmi
  xor %ebp, %ebp
  xor %r12d, %r12d
  /* At once with IF set. */
  sti
  nop
  REQUEST_INTERRUPT
1:
  cli
  EXPECT_TAKEN_BEFORE(1b)
  EXPECT_EQ($1, %rbp)
  /* Not while IF is clear; after STI, not before the next instruction is done. */
  REQUEST_INTERRUPT
  nop
  nop
  EXPECT_EQ($1, %rbp)
  sti
  nop
1:
  nop
  cli
  EXPECT_TAKEN_BEFORE(1b)
  /* STI with IF set has no shadow; STI directly before CLI opens no window. */
  REQUEST_INTERRUPT
  sti
  cli
  nop
  EXPECT_EQ($2, %rbp)
  sti
  nop
1:
  cli
  EXPECT_TAKEN_BEFORE(1b)
  EXPECT_EQ($3, %rbp)
  /* MOV SS and POP SS: not before the next instruction is done, be it one that leaves. */
  mov %ss, %ecx
  REQUEST_INTERRUPT
  sti
  mov %ecx, %ss
  nop
1:
  nop
  cli
  EXPECT_TAKEN_BEFORE(1b)
  sti
  nop
  mov $VECTOR, %eax
  mov %ecx, %ss
  out %eax, $INTERRUPT_PORT
1:
  nop
  cli
  EXPECT_TAKEN_BEFORE(1b)
  /* POPF and IRET have none. */
  REQUEST_INTERRUPT
  pushfq
  orq $0x200, (%rsp)
  popfq
1:
  nop
  cli
  EXPECT_TAKEN_BEFORE(1b)
  REQUEST_INTERRUPT
  pushq $KERNEL_DATA
  lea 8(%rsp), %rax
  push %rax
  pushq $0x202
  pushq $KERNEL_CODE
  pushq $AT(1f)
  iretq
1:
  nop
  cli
  EXPECT_TAKEN_BEFORE(1b)
  /* In the middle of a repeated instruction: it goes on afterwards as if nothing had been. */
  REQUEST_INTERRUPT
  mov $0x400000, %edi
  mov $0x100000, %ecx
  sti
1:
  rep stosb
  cli
  EXPECT_EQ($0, %rcx)
  EXPECT_EQ($0x500000, %rdi)
  EXPECT_TAKEN_BEFORE(1b)
  /* An NMI needs no IF. Until the IRET at its handler's end no other comes, then one does. */
  xor %ebp, %ebp
  mov $1, %ebx
  REQUEST_NMI
1:
  nop
  EXPECT_EQ($2, %rbp)
  EXPECT_EQ($1, %rdx)
  /* Any IRET will do, even one inside the handler. */
  SET_GATE 2, on_nmi_that_returns_early
  xor %ebp, %ebp
  mov $1, %ebx
  REQUEST_NMI
  nop
  EXPECT_EQ($2, %rbp)
  EXPECT_EQ($2, %rdx)

  hlt
on_interrupt:
  inc %ebp
  mov (%rsp), %r12
  iretq
on_nmi:
  inc %ebp
  test %ebx, %ebx
  jz 1f
  xor %ebx, %ebx
  out %eax, $NMI_PORT
  nop
  nop
  mov %ebp, %edx
1:
  iretq
on_nmi_that_returns_early:
  inc %ebp
  test %ebx, %ebx
  jz 1f
  xor %ebx, %ebx
  out %eax, $NMI_PORT
  pushq $KERNEL_DATA
  lea 8(%rsp), %rax
  push %rax
  pushq $2
  pushq $KERNEL_CODE
  pushq $AT(2f)
  iretq
2:
  nop
  mov %ebp, %edx
1:
  iretq
TABLES
END(interrupts)
