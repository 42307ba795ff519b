/* Between ring 0 and ring 3: IRETQ, SYSCALL and SYSRET, the stack of the TSS, what ring 3 may not do
 * (SDM vol. 3, chapter 5). */
#include "integration_tests/guest_code/guest.inc"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084

#define WRITE_MSR(msr, high, low)  \
  mov $msr, %ecx                  ; \
  mov $high, %edx                 ; \
  mov $low, %eax                  ; \
  wrmsr

BEGIN(privilege)
  SET_UP
  WRITE_MSR(MSR_STAR, (USER_CODE32 << 16) | KERNEL_CODE, 0)
  WRITE_MSR(MSR_LSTAR, 0, AT(system_call))
  WRITE_MSR(MSR_SFMASK, 0, 0x400)
  /* The kernel's page is not ring 3's: the last 2 MiB of RAM become supervisor's. */
  movl $(0xe00000 | 0xe3), PAGE_DIRECTORY + 8 * 7
  invlpg 0xe00000
  pushq $USER_DATA
  pushq $0x280000
  pushq $0x202
  pushq $USER_CODE
  pushq $AT(user)
  iretq
user:
  mov %cs, %eax
  EXPECT_EQ($USER_CODE, %ax)
  EXPECT_TRAP(13, 0, hlt)
  EXPECT_TRAP(13, 0, cli)
  EXPECT_TRAP(13, 0, mov %cr0, %rax)
  EXPECT_TRAP(13, 0, in $0x80, %al)
  EXPECT_TRAP(13, 0, rdmsr)
  EXPECT_TRAP(13, 0x82, int $0x10)
  EXPECT_TRAP(14, 5, mov 0xe00000, %eax)
  EXPECT_TRAP(14, 7, movl $1, 0xe00000)
  EXPECT_TRAP(48, 0, int $0x30)
  /* SYSCALL: RCX, R11 and SFMASK. */
  std
  xor %ebx, %ebx
  syscall
1:
  lea 1b(%rip), %rax
  EXPECT_EQ(%rax, %rcx)
  EXPECT_EQ($1, %rbx)
  pushfq
  pop %rax
  and $0x600, %eax
  EXPECT_EQ($0x600, %eax)
  cld
  mov $2, %ebx
  syscall
system_call:
  cmp $2, %ebx
  je leave_user
  pushfq
  pop %rax
  test $0x400, %eax
  jz 1f
  FAIL
1:
  mov $1, %ebx
  sysretq
leave_user:
  mov %cs, %eax
  EXPECT_EQ($KERNEL_CODE, %ax)
  mov %ss, %eax
  EXPECT_EQ($KERNEL_DATA, %ax)
  hlt
TABLES
END(privilege)
