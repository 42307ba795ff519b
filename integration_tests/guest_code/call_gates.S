/* Call gates between rings and within one, and the far returns that go back out (SDM vol. 3, 5.8). */
#include "integration_tests/guest_code/guest.inc"
#include "integration_tests/guest_code/guest32.inc"

#define GATE64 OWN_SELECTOR
#define GATE32 (OWN_SELECTOR + 16)
#define USER_STACK 0x280000

/* A gate of type 0CH to `label`. Overwrites RAX. */
.macro SET_CALL_GATE selector, code, label, dpl, parameters=0
  movl $AT(\label), %eax
  mov %ax, GDT_ENTRY(\selector)
  movw $\code, GDT_ENTRY(\selector) + 2
  movb $\parameters, GDT_ENTRY(\selector) + 4
  movb $(0x8c | (\dpl << 5)), GDT_ENTRY(\selector) + 5
  shr $16, %eax
  mov %ax, GDT_ENTRY(\selector) + 6
.endm

BEGIN(call_gates)
  SET_UP
  SET_UP32
  SET_CALL_GATE GATE64, KERNEL_CODE, through_gate, 3
  movq $0, GDT_ENTRY(GATE64) + 8
  /* Within ring 0: what is pushed is CS and RIP, eight bytes each. */
  mov %rsp, %rbp
  lcall *AT(gate64_pointer)
1:
  EXPECT_EQ($AT(1b), %rbx)
  EXPECT_EQ($KERNEL_CODE, %rcx)
  EXPECT_EQ(%rbp, %rsp)
  lea -16(%rbp), %rax
  EXPECT_EQ(%rax, %rdx)
  SET_GATE 0x40, leave_user, 3
  ENTER_USER(user)
user:
  /* From ring 3: on the stack of ring 0, which holds the caller's, and back. */
  lcall *AT(gate64_pointer)
1:
  EXPECT_EQ($AT(1b), %rbx)
  EXPECT_EQ($USER_CODE, %rcx)
  EXPECT_EQ($(RSP0 - 32), %rdx)
  EXPECT_EQ($USER_STACK, %rsi)
  EXPECT_EQ($USER_DATA, %rdi)
  EXPECT_EQ($USER_STACK, %rsp)
  mov %cs, %eax
  EXPECT_EQ($USER_CODE, %eax)
  mov %ss, %eax
  EXPECT_EQ($USER_DATA, %eax)
  /* A jump does not change rings. A gate for ring 0 alone, one that is not there, one to nowhere, one
   * whose second half is not of a gate. */
  EXPECT_FAULT(13, KERNEL_CODE, ljmp *AT(gate64_pointer))
  movb $0x8c, GDT_ENTRY(GATE64) + 5
  EXPECT_FAULT(13, GATE64, lcall *AT(gate64_pointer))
  movb $0x6c, GDT_ENTRY(GATE64) + 5
  EXPECT_FAULT(11, GATE64, lcall *AT(gate64_pointer))
  movb $0xec, GDT_ENTRY(GATE64) + 5
  movw $0, GDT_ENTRY(GATE64) + 2
  EXPECT_FAULT(13, 0, lcall *AT(gate64_pointer))
  movw $KERNEL_CODE32, GDT_ENTRY(GATE64) + 2
  EXPECT_FAULT(13, KERNEL_CODE32, lcall *AT(gate64_pointer))
  movw $KERNEL_CODE, GDT_ENTRY(GATE64) + 2
  movb $1, GDT_ENTRY(GATE64) + 13
  EXPECT_FAULT(13, GATE64, lcall *AT(gate64_pointer))
  movb $0, GDT_ENTRY(GATE64) + 13
  /* Far calls and jumps straight to code of another ring. */
  EXPECT_FAULT(13, KERNEL_CODE, lcall *AT(kernel_pointer))
  EXPECT_FAULT(13, KERNEL_CODE, ljmp *AT(kernel_pointer))
  int $0x40
leave_user:
  /* Far return to an outer ring, with an immediate: both stacks give up as much. */
  pushq $USER_DATA
  pushq $USER_STACK
  pushq $0x77
  pushq $USER_CODE
  pushq $AT(returned)
  lretq $8
returned:
  EXPECT_EQ($(USER_STACK + 8), %rsp)
  mov %cs, %eax
  EXPECT_EQ($USER_CODE, %eax)
  /* Not to an inner one. */
  pushq $KERNEL_CODE
  pushq $AT(returned)
  EXPECT_FAULT(13, KERNEL_CODE, lretq)
  SET_GATE 0x40, leave_again, 3
  int $0x40
leave_again:
  /* The same in 32-bit code, where parameters are copied. */
  SET_CALL_GATE GATE32, KERNEL_CODE32, through_gate32, 3, 2
  TO_PROTECTED_MODE
  movl $STACK32, AT(tss) + 4
  movl $KERNEL_DATA, AT(tss) + 8
  pushl $USER_DATA
  pushl $USER_STACK
  pushl $USER_CODE32
  pushl $AT(user32)
  lretl
user32:
  mov %cs, %eax
  EXPECT_EQ($USER_CODE32, %eax)
  mov $USER_DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  pushl $0x1111
  pushl $0x2222
  lcall $GATE32, $0
1:
  EXPECT_EQ($AT(1b), %ebx)
  EXPECT_EQ($0x2222, %ecx)
  EXPECT_EQ($0x1111, %edx)
  EXPECT_EQ($(USER_STACK - 8), %esi)
  EXPECT_EQ($(STACK32 - 24), %edi)
  EXPECT_EQ($USER_STACK, %esp)
  mov %ds, %eax
  EXPECT_EQ($USER_DATA, %eax)
  movl $1, SCRATCH
  lcall $GATE32, $0
through_gate32:
  cmpl $0, SCRATCH
  jne leave_user32
  mov (%esp), %ebx
  mov 8(%esp), %ecx
  mov 12(%esp), %edx
  mov 16(%esp), %esi
  mov %esp, %edi
  lretl $8
leave_user32:
  TO_LONG_MODE
  hlt
through_gate:
  mov (%rsp), %rbx
  mov 8(%rsp), %rcx
  mov %rsp, %rdx
  mov 16(%rsp), %rsi
  mov 24(%rsp), %rdi
  lretq
gate64_pointer:
  .long 0
  .word GATE64
kernel_pointer:
  .long AT(through_gate)
  .word KERNEL_CODE
TABLES
TABLES32
END(call_gates)
