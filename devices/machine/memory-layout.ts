/**
 * Where things are in the physical address space of our PC. Like QEMU's q35 in kind; RAM has one piece, because it is the
 * front of a 32-bit linear memory.
 *
 *   00000000  RAM; 000E0000…000FFFFF holds the firmware's tables and is reserved
 *   E0000000  ECAM of bus 0
 *   F0000000  BARs
 *   FEC00000  I/O APIC      FED00000  HPET      FEE00000  local APIC
 */

import { IO_APIC_LENGTH } from "../apic/io-apic.ts";
import { type MemoryRange, MemoryType } from "../boot/memory-range.ts";
import { HPET_BASE } from "../hpet.ts";

export const Layout = {
  /** Tables of the firmware: ACPI from here on, SMBIOS at F0000. */
  ACPI_TABLES: 0xe0000,
  SMBIOS: 0xf0000,
  ONE_MEGABYTE: 0x100000,
  ECAM: 0xe0000000,
  ECAM_LENGTH: 0x100000,
  PCI_MEMORY: 0xf0000000,
  PCI_MEMORY_END: 0xfec00000,
  PCI_IO: 0xc000,
  PCI_IO_END: 0x10000,
  IO_APIC: 0xfec00000,
  LOCAL_APIC: 0xfee00000,
} as const;

/** RAM ends below ECAM. */
export const MOST_RAM = Layout.ECAM;
/** Conventional memory, less the extended BIOS data area that old software looks for. */
const CONVENTIONAL_END = 0x9fc00;
const LOCAL_APIC_LENGTH = 0x1000;
const HPET_RESERVED = 0x1000;

/** What INT 15h E820H would tell of a machine with so much RAM. */
export function memoryMap(ramSize: number): MemoryRange[] {
  const range = (start: number, end: number, type: number): MemoryRange => ({
    start,
    length: end - start,
    type,
  });
  return [
    range(0, CONVENTIONAL_END, MemoryType.Ram),
    range(CONVENTIONAL_END, 0xa0000, MemoryType.Reserved),
    range(Layout.ACPI_TABLES, Layout.ONE_MEGABYTE, MemoryType.Reserved),
    range(Layout.ONE_MEGABYTE, ramSize, MemoryType.Ram),
    range(Layout.ECAM, Layout.ECAM + Layout.ECAM_LENGTH, MemoryType.Reserved),
    range(Layout.IO_APIC, Layout.IO_APIC + IO_APIC_LENGTH, MemoryType.Reserved),
    range(HPET_BASE, HPET_BASE + HPET_RESERVED, MemoryType.Reserved),
    range(Layout.LOCAL_APIC, Layout.LOCAL_APIC + LOCAL_APIC_LENGTH, MemoryType.Reserved),
  ];
}
