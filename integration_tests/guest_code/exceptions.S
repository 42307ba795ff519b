/* Exceptions of 64-bit code: vectors, error codes, what is pushed (SDM vol. 3, chapter 6). */
#include "integration_tests/guest_code/guest.inc"

BEGIN(exceptions)
  SET_UP
  /* #DE, with the dividend untouched. */
  xor %edx, %edx
  mov $77, %eax
  xor %ecx, %ecx
  mov %rax, %rbx
  EXPECT_FAULT(0, 0, div %ecx)
  EXPECT_EQ($77, %rbx)
  /* #UD */
  EXPECT_FAULT(6, 0, ud2)
  /* #BP, INT n and INT1 push what follows. */
  EXPECT_TRAP(3, 0, int3)
  lea 98b(%rip), %rax
  EXPECT_EQ(%rax, %r12)
  EXPECT_TRAP(48, 0, int $0x30)
  EXPECT_EQ($48, %r14)
  EXPECT_TRAP(1, 0, .byte 0xf1)
  /* INT n through a gate that is not there: the error code names it. */
  EXPECT_FAULT(13, 0x202, int $0x40)
  /* #GP: non-canonical address, a code segment for SS, reserved bits of CR4. */
  mov $0x8000000000000000, %rbx
  EXPECT_FAULT(13, 0, mov (%rbx), %rax)
  mov $0x18, %esi
  EXPECT_FAULT(13, 0x18, mov %si, %ss)
  mov $0xffffffff, %rbx
  EXPECT_FAULT(13, 0, mov %rbx, %cr4)
  /* #PF: page not there, read and write; CR2; nothing of the instruction happens. */
  movl $0, PAGE_DIRECTORY + 8 * 6
  invlpg 0xc00000
  mov $0xc00123, %ebx
  mov $5, %ecx
  EXPECT_FAULT(14, 0, mov (%rbx), %rcx)
  EXPECT_EQ($5, %rcx)
  mov %cr2, %rax
  EXPECT_EQ(%rbx, %rax)
  EXPECT_FAULT(14, 2, xchg %rcx, (%rbx))
  EXPECT_EQ($5, %rcx)
  /* An access that ends on the missing page names its first byte there; RSP stays. */
  mov $0xbffffd, %ebx
  EXPECT_FAULT(14, 2, movq $0, (%rbx))
  mov %cr2, %rax
  EXPECT_EQ($0xc00000, %rax)
  mov %rsp, %rbp
  mov $0xc00008, %esp
  mov %rsp, %rcx
  mov $-1, %r14
  mov %rbp, %rsp
  /* Execution of a missing page. */
  mov $0xc00000, %ebx
  lea 1f(%rip), %r15
  jmp *%rbx
1:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($0xc00000, %r12)
  /* Write protection holds in ring 0 with CR0.WP, not without. */
  movl $(0xc00000 | 0xe5), PAGE_DIRECTORY + 8 * 6
  invlpg 0xc00000
  EXPECT_FAULT(14, 3, movl $1, (%rbx))
  mov %cr0, %rax
  btr $16, %rax
  mov %rax, %cr0
  movl $1, (%rbx)
  bts $16, %rax
  mov %rax, %cr0
  EXPECT_FAULT(14, 3, movl $1, (%rbx))
  /* No-execute. */
  movl $0x80000000, PAGE_DIRECTORY + 8 * 6 + 4
  invlpg 0xc00000
  lea 1f(%rip), %r15
  jmp *%rbx
1:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($0x11, %r13)
  /* A reserved bit of the entry. */
  movl $0x00080000, PAGE_DIRECTORY + 8 * 6 + 4
  invlpg 0xc00000
  EXPECT_FAULT(14, 9, mov (%rbx), %eax)
  /* #NM while CR0.TS is set. */
  mov %cr0, %rax
  bts $3, %rax
  mov %rax, %cr0
  EXPECT_FAULT(7, 0, fld1)
  EXPECT_FAULT(7, 0, movups %xmm0, %xmm1)
  clts
  movups %xmm0, %xmm1
  /* A gate with an IST entry switches stacks even within ring 0. */
  SET_GATE 6, on_other_stack, 0, 1
  mov %rsp, %rbp
  EXPECT_TRAP(60, 0, ud2)
  EXPECT_EQ($(IST1 - 40), %rbx)
  EXPECT_EQ(%rbp, %rsp)
  hlt
on_other_stack:
  mov %rsp, %rbx
  mov $60, %r14
  xor %r13d, %r13d
  mov %r15, (%rsp)
  iretq
TABLES
END(exceptions)
