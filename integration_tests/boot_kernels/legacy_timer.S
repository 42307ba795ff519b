/* A Multiboot 1 kernel of the PC/AT kind: 8254 and 8259 pair, no APIC. It takes 2,000 timer
 * interrupts, at each asks the 8259 what is in service, before and after its end of interrupt, and
 * says on one line what it counted. */
#include "integration_tests/boot_kernels/print.inc"

#define HEADER_MAGIC 0x1badb002
#define TICKS 2000
#define DIVISOR 596 /* 0.5 ms */

#define PIC_MASTER 0x20
#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE 0xa0
#define PIC_SLAVE_DATA 0xa1
#define PIT_CHANNEL_0 0x40
#define PIT_CONTROL 0x43
#define RATE_GENERATOR 0x34 /* channel 0, low and high byte, mode 2 */
#define READ_IN_SERVICE 0x0b
#define END_OF_INTERRUPT 0x20
#define TIMER_VECTOR 0x20
#define VECTORS 0x30
#define INTERRUPT_GATE 0x8e00

.macro WRITE_PORT port, value
  mov $\value, %al
  out %al, $\port
.endm
/* What is in service must be `expected`; else `counter` is one more. */
.macro EXPECT_IN_SERVICE expected, counter
  WRITE_PORT PIC_MASTER, READ_IN_SERVICE
  in $PIC_MASTER, %al
  cmp $\expected, %al
  je 9993f
  incl \counter
  9993:
.endm

  .section .header, "a"
  .balign 4
  .long HEADER_MAGIC, 0, -HEADER_MAGIC

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  lgdt gdt_pointer
  ljmp $8, $1f
1:
  mov $idt, %edi
  mov $VECTORS, %ecx
  mov $unexpected_interrupt, %eax
2:
  call set_gate
  loop 2b
  mov $idt + 8 * TIMER_VECTOR, %edi
  mov $timer_interrupt, %eax
  call set_gate
  lidt idt_pointer
  WRITE_PORT PIC_MASTER, 0x11
  WRITE_PORT PIC_MASTER_DATA, TIMER_VECTOR
  WRITE_PORT PIC_MASTER_DATA, 0x04
  WRITE_PORT PIC_MASTER_DATA, 0x01
  WRITE_PORT PIC_SLAVE, 0x11
  WRITE_PORT PIC_SLAVE_DATA, (TIMER_VECTOR + 8)
  WRITE_PORT PIC_SLAVE_DATA, 0x02
  WRITE_PORT PIC_SLAVE_DATA, 0x01
  WRITE_PORT PIC_MASTER_DATA, 0xfe
  WRITE_PORT PIC_SLAVE_DATA, 0xff
  WRITE_PORT PIT_CONTROL, RATE_GENERATOR
  WRITE_PORT PIT_CHANNEL_0, (DIVISOR % 256)
  WRITE_PORT PIT_CHANNEL_0, (DIVISOR / 256)
  sti
  /* One half of the ticks comes to a halted CPU, the other to a busy one. */
3:
  hlt
  cmpl $TICKS / 2, ticks
  jb 3b
4:
  cmpl $TICKS, ticks
  jb 4b
  cli
  SAY "legacy_timer: ticks="
  SAY_HEX ticks
  SAY " not in service="
  SAY_HEX not_in_service
  SAY " in service after the end="
  SAY_HEX still_in_service
  SAY " unexpected="
  SAY_HEX unexpected
  SAY " end\n"
  LEAVE 0

/* The gate at EDI, which moves on, leads to EAX. */
set_gate:
  mov %ax, (%edi)
  movw $8, 2(%edi)
  movw $INTERRUPT_GATE, 4(%edi)
  push %eax
  shr $16, %eax
  mov %ax, 6(%edi)
  pop %eax
  add $8, %edi
  ret

timer_interrupt:
  push %eax
  /* Those that come before the loop has seen the last are not counted. */
  cmpl $TICKS, ticks
  jae 5f
  incl ticks
5:
  EXPECT_IN_SERVICE 1, not_in_service
  WRITE_PORT PIC_MASTER, END_OF_INTERRUPT
  EXPECT_IN_SERVICE 0, still_in_service
  pop %eax
  iret

unexpected_interrupt:
  incl unexpected
  iret

PRINT_ROUTINES

  .section .rodata
  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long gdt
idt_pointer:
  .word 8 * VECTORS - 1
  .long idt

  .bss
  .balign 16
idt:
  .fill 8 * VECTORS
ticks:
  .long 0
not_in_service:
  .long 0
still_in_service:
  .long 0
unexpected:
  .long 0
  .balign 16
  .fill 4096
stack_top:
