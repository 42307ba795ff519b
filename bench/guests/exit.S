/* A Multiboot kernel that measures its own exits: reads the time-stamp counter before and after each
 * access, keeps a histogram, and says on one line what it found. Waits on COM1 for a byte before each
 * kind of access, so that whoever drives it can look at the host between them. */
#include "integration_tests/boot_kernels/print.inc"
#include "bench/guests/clock.inc"

#define COM1_LINE_CONTROL 0x3fb
/* With it, the data port is the low byte of the divisor, and what is written there goes nowhere. */
#define COM1_DIVISOR_ACCESS 0x80
#define COM1_8N1 0x03
#define COM1_SCRATCH 0x3ff
#define PM_TIMER 0x608
#define APIC_VERSION 0xfee00030
#define APIC_END_OF_INTERRUPT 0xfee000b0

#define ACCESSES 100000
/* A burst of posted writes fits its ring many times over. */
#define BURST 16
#define BURSTS (ACCESSES / BURST)
/* Ticks a bucket: 1 << BUCKET_SHIFT. The last bucket takes what is longer. */
#define BUCKET_SHIFT 3
#define BUCKETS 65536

  MULTIBOOT_HEADER

/* One timed access. Keeps EBP, the number of accesses left. */
.macro TIMED access:vararg
  rdtsc
  mov %eax, %esi
  \access
  rdtsc
  sub %esi, %eax
  call take_sample
.endm

/* All accesses of one kind, and the line about it. */
.macro MEASURE name, access:vararg
  call take_byte
  call clear
  mov $ACCESSES, %ebp
  7: TIMED \access
  dec %ebp
  jnz 7b
  SAY "\name"
  call report
.endm

/* All accesses of a kind that is posted, in bursts. After each, a read of the same service, so that the
 * ring is empty before the next. */
.macro TIME_BURSTS access, read
  mov $BURSTS, %ebp
  8: mov $BURST, %ebx
  7: TIMED \access
  dec %ebx
  jnz 7b
  \read
  dec %ebp
  jnz 8b
.endm

.macro END_INTERRUPT
  mov %eax, APIC_END_OF_INTERRUPT
.endm
.macro READ_APIC
  mov APIC_VERSION, %eax
.endm

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  cld
  movl $HPET_ENABLE, HPET_CONFIGURATION
  SAY "exit: ready\n"
  MEASURE "nothing", nop
  MEASURE "port-read-timer", call read_pm_timer
  MEASURE "port-read-serial", call read_scratch
  MEASURE "mmio-read-timer", mov HPET_COUNTER, %eax
  MEASURE "mmio-read-vcpu", READ_APIC
  MEASURE "port-write-serial", call write_scratch
  MEASURE "posted-write-full", END_INTERRUPT

  call take_byte
  call clear
  TIME_BURSTS END_INTERRUPT, READ_APIC
  SAY "posted-write-burst"
  call report

  call take_byte
  call clear
  mov $COM1_8N1 | COM1_DIVISOR_ACCESS, %al
  call write_line_control
  TIME_BURSTS "call write_divisor", "call read_scratch"
  mov $COM1_8N1, %al
  call write_line_control
  SAY "posted-port-write-burst"
  call report

  call take_byte
  SAY_CLOCK
  LEAVE 0

read_pm_timer:
  mov $PM_TIMER, %edx
  in %dx, %eax
  ret
read_scratch:
  mov $COM1_SCRATCH, %edx
  in %dx, %al
  ret
write_scratch:
  mov $COM1_SCRATCH, %edx
  out %al, %dx
  ret
write_divisor:
  mov $COM1_DATA, %edx
  out %al, %dx
  ret
write_line_control:
  mov $COM1_LINE_CONTROL, %edx
  out %al, %dx
  ret

/* EAX: ticks. Uses EAX. */
take_sample:
  shr $BUCKET_SHIFT, %eax
  cmp $BUCKETS, %eax
  jb 1f
  mov $BUCKETS - 1, %eax
1: incl histogram(, %eax, 4)
  ret

clear:
  mov $histogram, %edi
  xor %eax, %eax
  mov $BUCKETS, %ecx
  rep stosl
  ret

/* The first bucket with which EDX samples are reached, in ticks, to EAX. */
ticks_at:
  xor %eax, %eax
1: sub histogram(, %eax, 4), %edx
  jbe 2f
  inc %eax
  cmp $BUCKETS - 1, %eax
  jb 1b
2: shl $BUCKET_SHIFT, %eax
  ret

report:
  mov $1, %edx
  call ticks_at
  SAY " min="
  SAY_HEX %eax
  mov $ACCESSES / 2, %edx
  call ticks_at
  SAY " p50="
  SAY_HEX %eax
  mov $ACCESSES / 100 * 99, %edx
  call ticks_at
  SAY " p99="
  SAY_HEX %eax
  SAY "\n"
  ret

PRINT_ROUTINES

  .bss
  /* Away from the code: an engine that translates has to watch pages with code for writes. */
  .balign 4096
histogram:
  .skip 4 * BUCKETS
  .skip 4096
stack_top:
