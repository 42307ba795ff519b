/* A Multiboot kernel whose loops do nothing but leave the guest, with the instructions of kvm_bare's: what
 * they take is read from the HPET, once before and once after each. Goes through them again and again.
 * Waits on COM1 for a byte before each, so that whoever drives it can do other things between them; at a
 * "q" it ends. */
#include "integration_tests/boot_kernels/print.inc"

#define HPET_CONFIGURATION 0xfed00010
#define HPET_ENABLE 1
#define HPET_COUNTER 0xfed000f0
#define COM1_LINE_CONTROL 0x3fb
/* With it, the data port is the low byte of the divisor, and what is written there goes nowhere. */
#define COM1_DIVISOR_ACCESS 0x80
#define COM1_8N1 0x03
#define COM1_SCRATCH 0x3ff
#define PM_TIMER 0x608
#define POST 0x80
#define APIC_VERSION 0xfee00030
#define APIC_END_OF_INTERRUPT 0xfee000b0

/* As exit_loop.py has it. */
#define ACCESSES 5000

  MULTIBOOT_HEADER

/* One loop, and the line about it. The access finds its port in EDX and its address in ESI. */
.macro LOOP name, target, access:vararg
  mov $\target, %edx
  mov $\target, %esi
  mov $ACCESSES, %ecx
  mov HPET_COUNTER, %edi
  8: \access
  dec %ecx
  jnz 8b
  mov HPET_COUNTER, %eax
  sub %edi, %eax
  SAY "\name ticks="
  SAY_HEX %eax
  SAY "\n"
.endm

.macro WAIT
  call take_byte
  cmp $'q', %al
  je end
.endm

.macro SET_LINE_CONTROL value
  mov $COM1_LINE_CONTROL, %edx
  mov $\value, %al
  out %al, %dx
.endm

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  movl $HPET_ENABLE, HPET_CONFIGURATION
  SAY "exit_loop: ready\n"
again:
  WAIT
  LOOP "port-read-timer", PM_TIMER, in %dx, %eax
  WAIT
  LOOP "port-read-serial", COM1_SCRATCH, in %dx, %al
  WAIT
  LOOP "mmio-read-timer", HPET_COUNTER, mov (%esi), %eax
  WAIT
  LOOP "mmio-read-vcpu", APIC_VERSION, mov (%esi), %eax
  WAIT
  LOOP "mmio-write-posted", APIC_END_OF_INTERRUPT, mov %eax, (%esi)
  WAIT
  /* Its line comes when the data port is one again. */
  SET_LINE_CONTROL COM1_8N1 | COM1_DIVISOR_ACCESS
  mov $COM1_DATA, %edx
  mov $ACCESSES, %ecx
  mov HPET_COUNTER, %edi
1: out %al, %dx
  dec %ecx
  jnz 1b
  mov HPET_COUNTER, %ebx
  SET_LINE_CONTROL COM1_8N1
  sub %edi, %ebx
  SAY "port-write-late ticks="
  SAY_HEX %ebx
  SAY "\n"
  WAIT
  LOOP "port-write-counted", POST, out %al, %dx
  jmp again
end:
  LEAVE 0

PRINT_ROUTINES

  .bss
  .skip 4096
stack_top:
