/* SMEP, SMAP and UMIP (SDM vol. 3, 4.6 and 2.5). */
#include "integration_tests/guest_code/guest.inc"

#define SMEP (1 << 20)
#define SMAP (1 << 21)
#define UMIP (1 << 11)
#define AC (1 << 18)
/* 2 MiB pages of user mode; all else is the supervisor's. */
#define USER_PAGE 0x400000
#define USER_STACK 0x480000
#define LDT (USER_PAGE + 0x800)
#define LDT_SELECTOR OWN_SELECTOR

#define SET_CR4(bits)              \
  mov %cr4, %rax                  ; \
  or $(bits), %rax                ; \
  mov %rax, %cr4
#define CLEAR_CR4(bits)            \
  mov %cr4, %rax                  ; \
  and $~(bits), %rax              ; \
  mov %rax, %cr4

BEGIN(supervisor_protection)
  SET_UP
  movq $0xe3, PAGE_DIRECTORY
  movq $(0x200000 | 0xe3), PAGE_DIRECTORY + 8
  mov %cr3, %rax
  mov %rax, %cr3
  mov $AT(user_begin), %esi
  mov $USER_PAGE, %edi
  mov $(user_end - user_begin), %ecx
  rep movsb
  mov $USER_PAGE, %ebx
  movb $0xc3, 0xf00(%rbx)
  lea 0xf00(%rbx), %rsi
  /* Without SMEP and SMAP the supervisor may do as it likes; the translation of the code stays. */
  call *%rsi
  mov (%rbx), %eax
  SET_CR4(SMEP)
  mov (%rbx), %eax
  mov %rsp, %r8
  mov $-1, %r14
  lea 1f(%rip), %r15
  call *%rsi
1:
  mov %r8, %rsp
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($0x11, %r13)
  EXPECT_EQ(%rsi, %r12)
  CLEAR_CR4(SMEP)
  call *%rsi
  /* SMAP: reads, writes, the stack, string and locked instructions, the operands of system ones. */
  SET_CR4(SMAP)
  EXPECT_FAULT(14, 1, mov (%rbx), %eax)
  EXPECT_FAULT(14, 3, mov %eax, (%rbx))
  EXPECT_FAULT(14, 3, lock incl (%rbx))
  mov $SCRATCH, %edi
  mov $USER_PAGE, %esi
  EXPECT_FAULT(14, 1, movsb)
  EXPECT_FAULT(14, 1, lgdt (%rbx))
  lea 0xf00(%rbx), %rsi
  call *%rsi                          /* fetching is SMEP's affair */
  stac
  mov (%rbx), %eax
  mov %eax, (%rbx)
  clac
  EXPECT_FAULT(14, 1, mov (%rbx), %eax)
  /* AC by POPF is the same AC. */
  pushfq
  orq $AC, (%rsp)
  popfq
  mov (%rbx), %eax
  /* The processor's own accesses are not excused by it: here to a local descriptor. */
  movl $0x00000fff | ((LDT & 0xffff) << 16), GDT_ENTRY(LDT_SELECTOR)
  movl $(0x8200 | (LDT >> 16 & 0xff)), GDT_ENTRY(LDT_SELECTOR) + 4
  movq $0, GDT_ENTRY(LDT_SELECTOR) + 8
  mov GDT_ENTRY(KERNEL_DATA), %rax
  mov %rax, LDT + 8
  mov $LDT_SELECTOR, %ecx
  lldt %cx
  mov $0xc, %ecx
  mov $-1, %r14
  lea 98f(%rip), %r15
  mov %ecx, %es
98:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($1, %r13)
  clac
  CLEAR_CR4(SMAP)
  mov %ecx, %es
  SET_CR4(SMAP | SMEP | UMIP)
  /* The supervisor keeps the instructions UMIP is about. */
  sgdt SCRATCH
  sidt SCRATCH
  sldt %eax
  str %eax
  smsw %eax
  SET_GATE 0x40, leave_user, 3
  pushq $USER_DATA
  pushq $USER_STACK
  pushq $2
  pushq $USER_CODE
  pushq $USER_PAGE
  iretq
user_begin:
  /* Neither SMEP nor SMAP concern user mode; the exceptions below read tables of the supervisor's. */
  mov USER_PAGE, %eax
  EXPECT_TRAP(13, 0, sgdt USER_PAGE + 0x900)
  EXPECT_TRAP(13, 0, sidt USER_PAGE + 0x900)
  EXPECT_TRAP(13, 0, sldt %eax)
  EXPECT_TRAP(13, 0, str %eax)
  EXPECT_TRAP(13, 0, smsw %eax)
  EXPECT_TRAP(13, 0, smsw USER_PAGE + 0x900)
  EXPECT_TRAP(6, 0, stac)
  EXPECT_TRAP(6, 0, clac)
  EXPECT_TRAP(14, 5, mov SCRATCH, %eax)
  EXPECT_TRAP(14, 5, push SCRATCH)
  EXPECT_TRAP(14, 7, movl $1, SCRATCH)
  int $0x40
user_end:
leave_user:
  CLEAR_CR4(UMIP)
  hlt
TABLES
END(supervisor_protection)
