/* Printing on COM1 and leaving by the debug-exit port, for kernels in 32-bit protected mode without
 * interrupts. GNU assembler, run through the C preprocessor; include it once, after the kernel. */

#define COM1_DATA 0x3f8
#define COM1_LINE_STATUS 0x3fd
#define TRANSMITTER_EMPTY 0x20
#define DEBUG_EXIT 0xf4

/* Every macro and routine keeps all registers but EFLAGS. */

/* A literal. */
.macro SAY text
  .pushsection .rodata
  9991: .asciz "\text"
  .popsection
  push $9991b
  call put_string
.endm
/* A zero-terminated string; its address as 32-bit operand. */
.macro SAY_STRING address
  pushl \address
  call put_string
.endm
/* Eight hexadecimal digits of a 32-bit operand. */
.macro SAY_HEX value
  pushl \value
  call put_hex
.endm
/* The bytes of [start, end), of printable text. */
.macro SAY_BYTES start, end
  pushl \end
  pushl \start
  call put_bytes
.endm
/* The machine ends, with exit status (code << 1) | 1. */
.macro LEAVE code
  mov $\code, %eax
  out %eax, $DEBUG_EXIT
  9992: hlt
  jmp 9992b
.endm

/* Arguments lie above the eight registers of PUSHA and the return address. */
#define ARGUMENT(n) (36 + 4 * (n))(%esp)

#define PRINT_ROUTINES             \
  /* AL, waiting for its place. */   \
  put_char:                       ; \
  pusha                           ; \
  mov %al, %cl                    ; \
  mov $COM1_LINE_STATUS, %dx      ; \
  1: in %dx, %al                  ; \
  test $TRANSMITTER_EMPTY, %al    ; \
  jz 1b                           ; \
  mov $COM1_DATA, %dx             ; \
  mov %cl, %al                    ; \
  out %al, %dx                    ; \
  popa                            ; \
  ret                             ; \
  put_string:                     ; \
  pusha                           ; \
  mov ARGUMENT(0), %esi           ; \
  1: mov (%esi), %al              ; \
  inc %esi                        ; \
  test %al, %al                   ; \
  jz 2f                           ; \
  call put_char                   ; \
  jmp 1b                          ; \
  2: popa                         ; \
  ret $4                          ; \
  put_hex:                        ; \
  pusha                           ; \
  mov ARGUMENT(0), %edx           ; \
  mov $8, %ecx                    ; \
  1: rol $4, %edx                 ; \
  mov %edx, %eax                  ; \
  and $15, %eax                   ; \
  mov digits(%eax), %al           ; \
  call put_char                   ; \
  dec %ecx                        ; \
  jnz 1b                          ; \
  popa                            ; \
  ret $4                          ; \
  put_bytes:                      ; \
  pusha                           ; \
  mov ARGUMENT(0), %esi           ; \
  1: cmp ARGUMENT(1), %esi        ; \
  jae 2f                          ; \
  mov (%esi), %al                 ; \
  inc %esi                        ; \
  call put_char                   ; \
  jmp 1b                          ; \
  2: popa                         ; \
  ret $8                          ; \
  .section .rodata                ; \
  digits: .ascii "0123456789abcdef"
