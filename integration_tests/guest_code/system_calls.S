/* SYSCALL, SYSRET, SYSENTER and SYSEXIT between all the modes they join (SDM vol. 2; vol. 3, 5.8.7 and
 * 5.8.8). RBX counts the calls. */
#include "integration_tests/guest_code/guest.inc"

#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define USER_STACK 0x280000
#define SYSENTER_STACK 0x2d0000

#define WRITE_MSR(msr, high, low)  \
  mov $msr, %ecx                  ; \
  mov $high, %edx                 ; \
  mov $low, %eax                  ; \
  wrmsr
#define EXPECT_SEGMENTS(code, data) \
  mov %cs, %eax                   ; \
  EXPECT_EQ($code, %eax)          ; \
  mov %ss, %eax                   ; \
  EXPECT_EQ($data, %eax)

BEGIN(system_calls)
  SET_UP
  xor %ebx, %ebx
  WRITE_MSR(MSR_STAR, (USER_CODE32 << 16) | KERNEL_CODE, 0)
  WRITE_MSR(MSR_LSTAR, 0, AT(from_64))
  WRITE_MSR(MSR_CSTAR, 0, AT(from_32))
  WRITE_MSR(MSR_SFMASK, 0, 0x600)
  /* What cannot be: an entry point that is not canonical, return addresses likewise. */
  mov $MSR_LSTAR, %ecx
  mov $0x8000, %edx
  EXPECT_FAULT(13, 0, wrmsr)
  mov $0x0000800000000000, %rcx
  EXPECT_FAULT(13, 0, sysretq)
  mov $0x0000800000000000, %rdx
  xor %ecx, %ecx
  WRITE_MSR(MSR_SYSENTER_CS, 0, 0)
  EXPECT_FAULT(13, 0, sysenter)
  EXPECT_FAULT(13, 0, sysexitq)
  WRITE_MSR(MSR_SYSENTER_CS, 0, KERNEL_CODE)
  WRITE_MSR(MSR_SYSENTER_ESP, 0, SYSENTER_STACK)
  WRITE_MSR(MSR_SYSENTER_EIP, 0, AT(entered_from_64))
  mov $0x0000800000000000, %rdx
  EXPECT_FAULT(13, 0, sysexitq)
  /* Without EFER.SCE they are undefined. */
  mov $MSR_EFER, %ecx
  rdmsr
  btr $0, %eax
  wrmsr
  EXPECT_FAULT(6, 0, syscall)
  EXPECT_FAULT(6, 0, sysretq)
  bts $0, %eax
  mov $MSR_EFER, %ecx
  rdmsr
  bts $0, %eax
  wrmsr
  ENTER_USER(user)
user:
  EXPECT_FAULT(13, 0, sysretq)
  EXPECT_FAULT(13, 0, sysexitq)
  /* RFLAGS as it was comes back in R11 and by it: what SFMASK clears, and reserved bits do not. */
  std
  stc
  syscall
1:
  pushfq
  pop %rax
  EXPECT_EQ($AT(1b), %rcx)
  EXPECT_EQ(%rax, %r11)
  and $0x603, %eax
  EXPECT_EQ($0x403, %eax)
  cld
  EXPECT_EQ($1, %rbx)
  EXPECT_EQ($USER_STACK, %rsp)
  EXPECT_SEGMENTS(USER_CODE, USER_DATA)
  /* SYSENTER saves nothing: where to go back to is the caller's affair. */
  mov $AT(1f), %edx
  mov %rsp, %rcx
  sysenter
1:
  EXPECT_EQ($2, %rbx)
  EXPECT_EQ($USER_STACK, %rsp)
  mov %cs, %eax
  EXPECT_EQ($USER_CODE, %eax)
  /* Onward to 32-bit code, by SYSRET. */
  mov $3, %ebx
  syscall
.code32
compatible:
  EXPECT_SEGMENTS(USER_CODE32, USER_DATA)
  mov $USER_STACK, %esp
  /* SYSCALL from compatibility mode goes by CSTAR, and comes back. */
  syscall
1:
  cmp $5, %ebx
  je 2f
  FAIL
2:
  cmp $AT(1b), %ecx
  je 2f
  FAIL
2:
  EXPECT_SEGMENTS(USER_CODE32, USER_DATA)
  /* SYSENTER from it, with a stack of 32 bits to return to. */
  mov $AT(1f), %edx
  mov %esp, %ecx
  sysenter
1:
  cmp $6, %ebx
  je 2f
  FAIL
2:
  cmp $USER_STACK, %esp
  je 2f
  FAIL
2:
  EXPECT_SEGMENTS(USER_CODE32, USER_DATA)
  sysenter
.code64
from_64:
  mov %cs, %eax
  EXPECT_EQ($KERNEL_CODE, %ax)
  mov %ss, %eax
  EXPECT_EQ($KERNEL_DATA, %ax)
  pushfq
  pop %rax
  test $0x600, %eax
  jz 1f
  FAIL
1:
  cmp $3, %ebx
  je 1f
  inc %ebx
  sysretq
1:
  inc %ebx
  mov $AT(compatible), %ecx
  sysretl
from_32:
  mov %cs, %eax
  EXPECT_EQ($KERNEL_CODE, %ax)
  inc %ebx
  push %rcx
  push %r11
  /* The next SYSENTER comes from 32-bit code. */
  WRITE_MSR(MSR_SYSENTER_EIP, 0, AT(entered_from_32))
  pop %r11
  pop %rcx
  sysretl
entered_from_64:
  EXPECT_SEGMENTS(KERNEL_CODE, KERNEL_DATA)
  EXPECT_EQ($SYSENTER_STACK, %rsp)
  inc %ebx
  sysexitq
entered_from_32:
  EXPECT_SEGMENTS(KERNEL_CODE, KERNEL_DATA)
  EXPECT_EQ($SYSENTER_STACK, %rsp)
  cmp $6, %ebx
  je 1f
  inc %ebx
  sysexitl
1:
  hlt
TABLES
END(system_calls)
