/** The static tables: ACPI specification 6.3, 5.2; MCFG: PCI Firmware 3.2, 4.1.2; HPET: IA-PC HPET 1.0a, 3.2.4. */

import { HPET_BASE, HPET_CAPABILITIES } from "../hpet.ts";
import { RTC_CENTURY } from "../mc146818.ts";
import type { PciResources } from "../pci/root-bus.ts";
import { dsdt } from "./dsdt.ts";
import { PM_TIMER, PM1_CONTROL, PM1_EVENT, RESET_PORT, RESET_VALUE } from "./power-management.ts";
import { acpiTable, type FieldWriter, genericAddress, setChecksum, FieldWriter as Writer } from "./table.ts";

/** What the tables tell about the board. */
export interface AcpiBoard {
  readonly processors: number;
  readonly localApicBase: number;
  readonly ioApicBase: number;
  readonly pci: PciResources;
  readonly powerManagementPort: number;
  /** IRQ of the SCI. */
  readonly sciIrq: number;
  readonly secondSerialPort: boolean;
}

/** FADT flags (table 5-34). */
const Fadt = {
  WBINVD: 1 << 0,
  PROC_C1: 1 << 2,
  /** A sleep button as fixed hardware would be there if this were not set. */
  SLP_BUTTON: 1 << 5,
  FIX_RTC: 1 << 6,
  TMR_VAL_EXT: 1 << 8,
  RESET_REG_SUP: 1 << 10,
} as const;
/** IA-PC boot architecture flags (table 5-35). */
const BOOT_LEGACY_DEVICES = 1 << 0;
const BOOT_8042 = 1 << 1;
const BOOT_NO_VGA = 1 << 2;
const BOOT_NO_ASPM = 1 << 4;
/** Latencies that say "no C2, no C3". */
const NO_C2 = 101;
const NO_C3 = 1001;
/** Preferred PM profile: desktop. */
const PROFILE_DESKTOP = 1;

function facs(): Uint8Array {
  return new Writer().text("FACS").u32(64).zeros(24).u8(2).zeros(31).finish();
}

function fadt(board: AcpiBoard, facsAddress: number, dsdtAddress: number): Uint8Array {
  const port = board.powerManagementPort;
  const flags =
    Fadt.WBINVD | Fadt.PROC_C1 | Fadt.SLP_BUTTON | Fadt.FIX_RTC | Fadt.TMR_VAL_EXT | Fadt.RESET_REG_SUP;
  const none = (writer: FieldWriter) => writer.zeros(12);
  return acpiTable("FACP", 6, (writer) => {
    writer.u32(facsAddress).u32(dsdtAddress).u8(0).u8(PROFILE_DESKTOP).u16(board.sciIrq);
    writer.u32(0).u8(0).u8(0).u8(0).u8(0); // SMI_CMD and its values: always in ACPI mode
    writer
      .u32(port + PM1_EVENT)
      .u32(0)
      .u32(port + PM1_CONTROL)
      .u32(0)
      .u32(0)
      .u32(port + PM_TIMER);
    writer.u32(0).u32(0); // GPE0, GPE1
    writer.u8(4).u8(2).u8(0).u8(4).u8(0).u8(0).u8(0).u8(0); // lengths, GPE1 base, C-state control
    writer.u16(NO_C2).u16(NO_C3).u16(0).u16(0).u8(0).u8(0); // latencies, flush, duty cycle
    writer.u8(0).u8(0).u8(RTC_CENTURY); // alarms of day and month; century
    writer
      .u16(BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA | BOOT_NO_ASPM)
      .u8(0)
      .u32(flags);
    genericAddress(writer, "port", 8, RESET_PORT);
    writer.u8(RESET_VALUE).u16(0).u8(3); // ARM boot flags; minor version
    writer.u64(0).u64(dsdtAddress); // FACS is named once only
    genericAddress(writer, "port", 32, port + PM1_EVENT);
    none(writer);
    genericAddress(writer, "port", 16, port + PM1_CONTROL);
    none(writer);
    none(writer);
    genericAddress(writer, "port", 32, port + PM_TIMER);
    none(writer);
    none(writer);
    none(writer); // sleep control
    none(writer); // sleep status
    writer.u64(0); // hypervisor vendor
  });
}

/** Interrupt source override flags: active high, level-triggered; "conforms" is ISA's edge. */
const LEVEL_HIGH = 0x0d;
const CONFORMS = 0;
/** IRQ 0 is wired to this input of the I/O APIC; input 0 was for the 8259. */
export const TIMER_GSI = 2;

function madt(board: AcpiBoard): Uint8Array {
  const PCAT_COMPAT = 1; // there are 8259s
  return acpiTable("APIC", 5, (writer) => {
    writer.u32(board.localApicBase).u32(PCAT_COMPAT);
    for (let id = 0; id < board.processors; id++) writer.u8(0).u8(8).u8(id).u8(id).u32(1);
    writer.u8(1).u8(12).u8(0).u8(0).u32(board.ioApicBase).u32(0);
    const override = (irq: number, gsi: number, flags: number) =>
      writer.u8(2).u8(10).u8(0).u8(irq).u32(gsi).u16(flags);
    override(0, TIMER_GSI, CONFORMS);
    const levels = new Set([board.sciIrq, ...board.pci.interrupts.map(({ irq }) => irq)]);
    for (const irq of [...levels].sort((a, b) => a - b)) override(irq, irq, LEVEL_HIGH);
    writer.u8(4).u8(6).u8(0xff).u16(0).u8(1); // NMI: LINT1 of all
  });
}

function mcfg(board: AcpiBoard): Uint8Array {
  return acpiTable("MCFG", 1, (writer) => {
    writer.zeros(8).u64(board.pci.ecam).u16(0).u8(0).u8(0).u32(0);
  });
}

function hpet(): Uint8Array {
  const MINIMUM_TICK = 100;
  return acpiTable("HPET", 1, (writer) => {
    writer.u32(HPET_CAPABILITIES);
    genericAddress(writer, "memory", 64, HPET_BASE);
    writer.u8(0).u16(MINIMUM_TICK).u8(0);
  });
}

function xsdt(addresses: readonly number[]): Uint8Array {
  return acpiTable("XSDT", 1, (writer) => {
    for (const address of addresses) writer.u64(address);
  });
}

function rsdt(addresses: readonly number[]): Uint8Array {
  return acpiTable("RSDT", 1, (writer) => {
    for (const address of addresses) writer.u32(address);
  });
}

function rsdp(rsdtAddress: number, xsdtAddress: number): Uint8Array {
  const bytes = new Writer()
    .text("RSD PTR ")
    .u8(0)
    .text("OSVVM ")
    .u8(2)
    .u32(rsdtAddress)
    .u32(36)
    .u64(xsdtAddress)
    .zeros(4)
    .finish();
  setChecksum(bytes.subarray(0, 20), 8);
  setChecksum(bytes, 32);
  return bytes;
}

/** An address in the image, which is to be changed if the image is moved; `at` is an offset in it. */
export interface AcpiPointer {
  readonly at: number;
  readonly size: 4 | 8;
}

/** A byte that makes a part of the image sum to zero. */
export interface AcpiChecksum {
  readonly at: number;
  readonly start: number;
  readonly length: number;
}

/** All tables in one piece of memory, and where the root pointer is: at its end. */
export interface AcpiImage {
  readonly bytes: Uint8Array;
  readonly rsdpAddress: number;
  /** For firmware that puts the tables elsewhere. */
  readonly pointers: readonly AcpiPointer[];
  readonly checksums: readonly AcpiChecksum[];
  /** Each table by its signature, as it is in memory. */
  readonly tables: ReadonlyMap<string, Uint8Array>;
}

const ALIGNMENT = 64; // FACS needs it
const HEADER_BYTES = 36;
const CHECKSUM_OFFSET = 9;
/** FIRMWARE_CTRL, DSDT and X_DSDT in the FADT (table 5-33); X_FIRMWARE_CTRL is zero. */
const FADT_POINTERS: readonly AcpiPointer[] = [
  { at: 36, size: 4 },
  { at: 40, size: 4 },
  { at: 140, size: 8 },
];
/** RSDT and XSDT in the RSDP, and its two checksums (table 5-27). */
const RSDP_POINTERS: readonly AcpiPointer[] = [
  { at: 16, size: 4 },
  { at: 24, size: 8 },
];
const RSDP_CHECKSUMS: readonly AcpiChecksum[] = [
  { at: 8, start: 0, length: 20 },
  { at: 32, start: 0, length: 36 },
];

/** Lays the tables out from `base` on. */
export function buildAcpiTables(board: AcpiBoard, base: number): AcpiImage {
  const placed: { at: number; bytes: Uint8Array }[] = [];
  const tables = new Map<string, Uint8Array>();
  let next = base;
  const place = (signature: string, bytes: Uint8Array): number => {
    const at = next;
    placed.push({ at, bytes });
    tables.set(signature, bytes);
    next = Math.ceil((at + bytes.length) / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const facsAddress = place("FACS", facs());
  const dsdtAddress = place("DSDT", dsdt(board));
  const roots = [
    place("FACP", fadt(board, facsAddress, dsdtAddress)),
    place("APIC", madt(board)),
    place("MCFG", mcfg(board)),
    place("HPET", hpet()),
  ];
  const rsdtAddress = place("RSDT", rsdt(roots));
  const xsdtAddress = place("XSDT", xsdt(roots));
  const rsdpAddress = place("RSD PTR ", rsdp(rsdtAddress, xsdtAddress));
  const bytes = new Uint8Array(next - base);
  for (const table of placed) bytes.set(table.bytes, table.at - base);
  const entries = (count: number, size: 4 | 8): AcpiPointer[] =>
    Array.from({ length: count }, (_, index) => ({ at: HEADER_BYTES + index * size, size }));
  const pointers = [
    ...moved(FADT_POINTERS, roots[0] - base),
    ...moved(entries(roots.length, 4), rsdtAddress - base),
    ...moved(entries(roots.length, 8), xsdtAddress - base),
    ...moved(RSDP_POINTERS, rsdpAddress - base),
  ];
  const changed = placed
    .filter(({ at }) => [roots[0], rsdtAddress, xsdtAddress].includes(at))
    .map(({ at, bytes: { length } }): AcpiChecksum => {
      const start = at - base;
      return { at: start + CHECKSUM_OFFSET, start, length };
    });
  const checksums = [...changed, ...moved(RSDP_CHECKSUMS, rsdpAddress - base)];
  return { bytes, rsdpAddress, pointers, checksums, tables };
}

/** The same places, counted from `distance` bytes before. */
function moved<Place extends { readonly at: number; readonly start?: number }>(
  places: readonly Place[],
  distance: number,
): Place[] {
  return places.map((place) => ({
    ...place,
    at: place.at + distance,
    ...(place.start !== undefined && { start: place.start + distance }),
  }));
}
