/* A Multiboot 1 kernel of the PC/AT kind: 8254 and 8259 pair, no APIC. It takes 2,000 timer
 * interrupts, at each asks the 8259 what is in service, before and after its end of interrupt, and
 * says on one line what it counted. */
#include "integration_tests/boot_kernels/print.inc"
#include "integration_tests/boot_kernels/timer_interrupts.inc"

#define TICKS 2000
#define DIVISOR 596 /* 0.5 ms */

#define READ_IN_SERVICE 0x0b

/* What is in service must be `expected`; else `counter` is one more. */
.macro EXPECT_IN_SERVICE expected, counter
  WRITE_PORT PIC_MASTER, READ_IN_SERVICE
  in $PIC_MASTER, %al
  cmp $\expected, %al
  je 9993f
  incl \counter
  9993:
.endm

  MULTIBOOT_HEADER

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  SET_UP_TIMER_INTERRUPTS DIVISOR
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
  .text
TIMER_INTERRUPT_ROUTINES

  .bss
  .balign 16
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
