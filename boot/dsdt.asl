// The machine's devices for ACPI: what is not found by looking. Addresses are those of
// abi/platform.h.
DefinitionBlock ("", "DSDT", 2, "HV    ", "HVMACHIN", 1)
{
    Name (\_S5, Package () { 5, 5, 0, 0 })

    Scope (\_SB)
    {
        Device (RTC0)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate () {
                IO (Decode16, 0x70, 0x70, 0, 2)
                IRQNoFlags () { 8 }
            })
        }
        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate () {
                IO (Decode16, 0x40, 0x40, 0, 4)
                IRQNoFlags () { 0 }
            })
        }
        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate () {
                Memory32Fixed (ReadWrite, 0xfed00000, 0x400)
                // One input a comparator: those of the 8254 and the RTC by legacy replacement, and the
                // first that is free. Extended descriptors, as Linux's hpet driver counts no others.
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Shared) { 2, 8, 20 }
            })
        }
        Device (PIC0)
        {
            Name (_HID, EisaId ("PNP0000"))
            Name (_CRS, ResourceTemplate () {
                IO (Decode16, 0x20, 0x20, 0, 2)
                IO (Decode16, 0xa0, 0xa0, 0, 2)
                IO (Decode16, 0x4d0, 0x4d0, 0, 2)
            })
        }
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate () {
                IO (Decode16, 0x3f8, 0x3f8, 0, 8)
                IRQNoFlags () { 4 }
            })
        }
    }
}
