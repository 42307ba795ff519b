/* 16-bit protected mode: stacks that wrap and have a base, near and far calls, 16-bit gates, LEA
 * (SDM vol. 3, chapter 3 and 21). */
#include "integration_tests/guest_code/guest.inc"
#include "integration_tests/guest_code/guest32.inc"

/* 64 KiB each: code at REAL_MODE_CODE, a stack and data of their own. */
#define STACK16 OWN_SELECTOR
#define DATA_AT_BASE (OWN_SELECTOR + 8)
#define STACK_BASE 0x20000
#define DATA_BASE 0x30010

#define FAIL16                     \
  mov $__LINE__, %eax             ; \
  out %eax, $FAIL_PORT
#define EXPECT16(value, to)        \
  cmp value, to                   ; \
  je 99f                          ; \
  FAIL16                          ; \
  99:
#define EXPECT_WORD(value, memory) \
  cmpw $value, memory             ; \
  je 99f                          ; \
  FAIL16                          ; \
  99:
#define OFFSET(label) ((label) - code16)

BEGIN(protected16)
  SET_UP
  SET_UP32
  mov $AT(code16), %esi
  mov $REAL_MODE_CODE, %edi
  mov $(code16_end - code16), %ecx
  rep movsb
  movl $(0xffff | ((STACK_BASE & 0xffff) << 16)), GDT_ENTRY(STACK16)
  movl $(0x9300 | (STACK_BASE >> 16)), GDT_ENTRY(STACK16) + 4
  movl $(0xffff | ((DATA_BASE & 0xffff) << 16)), GDT_ENTRY(DATA_AT_BASE)
  movl $(0x9300 | (DATA_BASE >> 16)), GDT_ENTRY(DATA_AT_BASE) + 4
  /* A 16-bit gate. */
  movl $((KERNEL_CODE16 << 16) | OFFSET(on_interrupt)), IDT32 + 0x20 * 8
  movl $0x8600, IDT32 + 0x20 * 8 + 4
  TO_PROTECTED_MODE
  ljmp $KERNEL_CODE16, $OFFSET(start)
.code32
back:
  mov $KERNEL_DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $STACK32, %esp
  TO_LONG_MODE
  hlt
code16:
.code16
start:
  mov $DATA_AT_BASE, %ax
  mov %ax, %ds
  mov %ax, %es
  mov $STACK16, %ax
  mov %ax, %ss
  mov $0xabcd0000, %esp
  /* The first push wraps SP and leaves the upper half alone. */
  mov $0x1234, %ax
  push %ax
  mov %esp, %ebx
  EXPECT16($0xabcdfffe, %ebx)
  mov $KERNEL_DATA, %ax
  mov %ax, %fs
  mov $(STACK_BASE + 0xfffe), %ebx
  cmpw $0x1234, %fs:(%ebx)
  je 1f
  FAIL16
1:
  pop %cx
  EXPECT16($0x1234, %cx)
  mov %esp, %ebx
  EXPECT16($0xabcd0000, %ebx)
  /* 32-bit pushes and POP SP. */
  pushl $0x11223344
  popl %ecx
  EXPECT16($0x11223344, %ecx)
  push $0x8000
  pop %sp
  mov %esp, %ebx
  EXPECT16($0xabcd8000, %ebx)
  /* Data by the base of DS; a 16-bit address wraps before it is added. */
  movw $0x5555, 0x10
  mov $(DATA_BASE + 0x10), %ebx
  cmpw $0x5555, %fs:(%ebx)
  je 1f
  FAIL16
1:
  mov $0xffff, %bx
  EXPECT_WORD(0x5555, 0x11(%bx))
  /* LEA knows neither base nor, with 16 bits, more than 64 KiB. */
  mov $0x20, %si
  lea 0x11(%bx, %si), %cx
  EXPECT16($0x30, %cx)
  mov $-1, %ecx
  lea 0x10(%bx), %ecx
  EXPECT16($0xf, %ecx)
  /* BP addresses the stack. */
  mov $0x8000, %bp
  push $0x7777
  EXPECT_WORD(0x7777, -2(%bp))
  pop %ax
  enter $4, $0
  EXPECT16($0x7ffe, %bp)
  EXPECT16($0x7ffa, %sp)
  leave
  EXPECT16($0x8000, %sp)
  /* Near and far calls, direct and indirect, and 32-bit ones. */
  xor %dx, %dx
  call add_1
  mov $OFFSET(add_1), %ax
  call *%ax
  lcall $KERNEL_CODE16, $OFFSET(add_10)
  movw $OFFSET(add_10), 0x40
  movw $KERNEL_CODE16, 0x42
  lcall *0x40
  calll add_100
  EXPECT16($122, %dx)
  EXPECT16($0x8000, %sp)
  /* Strings: SI, DI and CX alone count. */
  mov $0xfffe0040, %esi
  mov $0xfffe0060, %edi
  mov $0xfffe0002, %ecx
  rep movsw
  EXPECT16($0xfffe0000, %ecx)
  EXPECT16($0xfffe0064, %edi)
  EXPECT_WORD(OFFSET(add_10), 0x60)
  /* LOOP counts CX. */
  mov $0x10003, %ecx
  xor %ax, %ax
1:
  inc %ax
  loop 1b
  EXPECT16($3, %ax)
  EXPECT16($0x10000, %ecx)
  /* Through a 16-bit gate: three words are pushed. */
  int $0x20
  EXPECT16($0x7ffa, %bx)
  EXPECT16($0x8000, %sp)
  pushal
  popal
  pusha
  popa
  EXPECT16($0x8000, %sp)
  ljmpl $KERNEL_CODE32, $AT(back)
add_1:
  inc %dx
  ret
add_10:
  add $10, %dx
  lret
add_100:
  add $100, %dx
  retl
on_interrupt:
  mov %sp, %bx
  iret
code16_end:
.code64
TABLES
TABLES32
END(protected16)
