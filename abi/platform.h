/* Where the devices of an hv machine are: one list for the services, the route table and the ACPI
 * tables. A PC's usual places wherever there are any. */
#ifndef HV_ABI_PLATFORM_H_
#define HV_ABI_PLATFORM_H_

/* Guest-physical map. RAM lies from 0 to at most HV_LOW_RAM_END and from 4 GiB on. */
#define HV_LOW_RAM_END 0xc0000000ull
#define HV_HIGH_RAM_BASE 0x100000000ull
#define HV_IOAPIC_BASE 0xfec00000ull /* 4 KiB */
#define HV_IOAPIC_BYTES 0x1000ull
#define HV_HPET_BASE 0xfed00000ull /* 1 KiB */
#define HV_HPET_BYTES 0x400ull
#define HV_LOCAL_APIC_BASE 0xfee00000ull /* 4 KiB, the default of IA32_APIC_BASE */
#define HV_LOCAL_APIC_BYTES 0x1000ull
#define HV_PHYSICAL_ADDRESS_BITS 46    /* as CPUID leaf 0x80000008 says */
#define HV_ACPI_TABLES_BASE 0xe0000ull /* RSDP and tables, in RAM the E820 map calls reserved */
#define HV_ACPI_TABLES_END 0xfffffull

/* Ports. */
#define HV_PORT_PIC_MASTER 0x20 /* 0x20, 0x21 */
#define HV_PORT_PIT 0x40        /* 0x40 to 0x43 */
#define HV_PORT_I8042_DATA 0x60
#define HV_PORT_SPEAKER 0x61 /* timer_svc: gate and output of counter 2 */
#define HV_PORT_I8042_COMMAND 0x64
#define HV_PORT_CMOS_INDEX 0x70 /* 0x70, 0x71 */
#define HV_PORT_PIC_SLAVE 0xa0  /* 0xa0, 0xa1 */
#define HV_PORT_DEBUG_EXIT 0xf4
#define HV_PORT_COM1 0x3f8        /* 8 ports */
#define HV_PORT_ELCR 0x4d0        /* 0x4d0, 0x4d1 */
#define HV_PORT_PM1_EVENT 0x600   /* 0x600 to 0x603: PM1 status and enable */
#define HV_PORT_PM1_CONTROL 0x604 /* 2 ports */
#define HV_PORT_PM_TIMER 0x608    /* 4 ports; timer_svc */
#define HV_PORT_RESET 0xcf9       /* also the FADT's RESET_REG, value 6 */
#define HV_RESET_VALUE 0x06
#define HV_SLEEP_TYPE_S5 5 /* SLP_TYP of \_S5 */
#define HV_PORT_POST 0x80  /* POST codes; also the port Linux uses for I/O delays */

/* Interrupts: ISA IRQ n is GSI n, but for the override 0 -> 2. */
#define HV_GSI_PIT 2
#define HV_GSI_COM1 4
#define HV_GSI_RTC 8
#define HV_GSI_SCI 9 /* level, active high */
#define HV_IOAPIC_INPUTS 24
#define HV_GSI_COUNT 64 /* those past the I/O APIC's lead to MSIs, HV_KIND_GSI_ROUTE */
#define HV_IOAPIC_ID 0

#define HV_PM_TIMER_HZ 3579545
#define HV_PIT_HZ 1193182
#define HV_HPET_PERIOD_FS 10000000u /* 100 MHz */
#define HV_LOCAL_APIC_TIMER_HZ 1000000000u

#endif /* HV_ABI_PLATFORM_H_ */
