/** A minimal SMBIOS: DMTF DSP0134 3.2. Linux prints the name of the machine from it; nothing depends on it. */

import { FieldWriter, setChecksum } from "./acpi/table.ts";

const ENTRY_BYTES = 24;
const VERSION = [3, 2, 0] as const;

/** One structure: header, formatted area, strings (6.1.3). String n of the area is `strings[n - 1]`. */
function structure(
  type: number,
  handle: number,
  strings: readonly string[],
  area: (writer: FieldWriter) => void,
): Uint8Array {
  const formatted = new FieldWriter();
  area(formatted);
  const writer = new FieldWriter()
    .u8(type)
    .u8(4 + formatted.length)
    .u16(handle)
    .raw(formatted.finish());
  for (const string of strings) writer.text(string).u8(0);
  if (strings.length === 0) writer.u8(0);
  return writer.u8(0).finish();
}

export interface SmbiosImage {
  /** Entry point and structures, to be placed at the address they were built for. */
  readonly bytes: Uint8Array;
  /** The two apart, for firmware that places them itself. */
  readonly anchor: Uint8Array;
  readonly structures: Uint8Array;
}

/** @param address where it will lie: from F0000H on, on 16 bytes, so that it is found (5.2.2) */
export function buildSmbios(address: number, ramSize: number, version: string): SmbiosImage {
  const structures = [
    structure(0, 0, ["osv-vm", version, "01/01/2025"], (writer) => {
      // characteristics: not supported (bit 3), virtual machine (extension byte 2, bit 4)
      writer
        .u8(1)
        .u8(2)
        .u16(0xe000)
        .u8(3)
        .u8(0)
        .u64(8)
        .u8(0)
        .u8(0x14)
        .u8(0xff)
        .u8(0xff)
        .u8(0xff)
        .u8(0xff)
        .u16(0);
    }),
    structure(1, 1, ["osv-vm", "osv-vm PC", version], (writer) => {
      writer.u8(1).u8(2).u8(3).u8(0).zeros(16).u8(6).u8(0).u8(0); // woken by the power switch
    }),
    structure(3, 2, ["osv-vm"], (writer) => {
      writer.u8(1).u8(1).u8(0).u8(0).u8(0).u8(3).u8(3).u8(3).u8(2).u32(0).u8(0).u8(0).u8(0).u8(0).u8(0);
    }),
    structure(16, 3, [], (writer) => {
      // system board, system memory, no error correction, capacity in KiB, no error, one device
      writer
        .u8(3)
        .u8(3)
        .u8(3)
        .u32(Math.floor(ramSize / 1024))
        .u16(0xfffe)
        .u16(1)
        .u64(0);
    }),
    structure(17, 4, ["RAM"], (writer) => {
      const megabytes = Math.floor(ramSize / 2 ** 20);
      writer.u16(3).u16(0xfffe).u16(64).u16(64).u16(megabytes).u8(9).u8(0).u8(1).u8(0).u8(7).u16(4);
      writer.u16(0).u8(0).u8(0).u8(0).u8(0).u8(0).u32(0).u16(0).u16(0).u16(0).u16(0);
    }),
    structure(127, 5, [], () => {}),
  ];
  const length = structures.reduce((sum, { length: size }) => sum + size, 0);
  const table = address + ENTRY_BYTES;
  const entry = new FieldWriter()
    .text("_SM3_")
    .u8(0)
    .u8(ENTRY_BYTES)
    .u8(VERSION[0])
    .u8(VERSION[1])
    .u8(VERSION[2])
    .u8(1)
    .u8(0)
    .u32(length)
    .u64(table)
    .finish();
  setChecksum(entry, 5);
  const bytes = new Uint8Array(ENTRY_BYTES + length);
  bytes.set(entry);
  let at = ENTRY_BYTES;
  for (const item of structures) {
    bytes.set(item, at);
    at += item.length;
  }
  return { bytes, anchor: entry, structures: bytes.subarray(ENTRY_BYTES) };
}
