/**
 * What firmware reads from fw_cfg besides the well-known items (qemu/docs/specs/fw_cfg.rst): the memory map, and the ACPI
 * and SMBIOS tables with the instructions to place and link them.
 */

import { FieldWriter } from "../acpi/table.ts";
import type { AcpiImage } from "../acpi/tables.ts";
import { MemoryType } from "../boot/memory-range.ts";
import { COM1 } from "../uart16550.ts";
import type { Board } from "./board.ts";
import { memoryMap } from "./memory-layout.ts";

/** QEMU's BIOSLinkerLoader: commands of 128 bytes (qemu/hw/acpi/bios-linker-loader.c documents the interface in its types). */
const COMMAND_BYTES = 128;
const FILE_NAME_BYTES = 56;
const Command = { Allocate: 1, AddPointer: 2, AddChecksum: 3 } as const;
const Zone = { High: 1, FSegment: 2 } as const;

export const TABLES_FILE = "etc/acpi/tables";
export const RSDP_FILE = "etc/acpi/rsdp";
const LOADER_FILE = "etc/table-loader";
const RSDP_BYTES = 36;

/** A little-endian address in a file, to which the address of another file's memory is added. */
interface Pointer {
  readonly file: string;
  readonly at: number;
  readonly size: 4 | 8;
  readonly target: string;
}

interface Checksum {
  readonly file: string;
  readonly at: number;
  readonly start: number;
  readonly length: number;
}

function command(type: number, fields: (writer: FieldWriter) => void): Uint8Array {
  const writer = new FieldWriter().u32(type);
  fields(writer);
  return writer.zeros(COMMAND_BYTES - writer.length).finish();
}

function fileName(writer: FieldWriter, name: string): FieldWriter {
  return writer.text(name).zeros(FILE_NAME_BYTES - name.length);
}

const allocate = (file: string, alignment: number, zone: number): Uint8Array =>
  command(Command.Allocate, (writer) => fileName(writer, file).u32(alignment).u8(zone));
const addPointer = ({ file, at, size, target }: Pointer): Uint8Array =>
  command(Command.AddPointer, (writer) => fileName(fileName(writer, file), target).u32(at).u8(size));
const addChecksum = ({ file, at, start, length }: Checksum): Uint8Array =>
  command(Command.AddChecksum, (writer) => fileName(writer, file).u32(at).u32(start).u32(length));

/** Puts everything that firmware asks for into the board's fw_cfg. */
export function describeToFirmware(board: Board): void {
  const { fwCfg } = board;
  fwCfg.addFile("etc/e820", e820(board.ramSize));
  fwCfg.addFile("etc/sercon-port", new FieldWriter().u64(COM1.port).finish());
  for (const [name, bytes] of acpiFiles(board.acpiTablesAt(0))) fwCfg.addFile(name, bytes);
  fwCfg.addFile("etc/smbios/smbios-anchor", board.smbios.anchor);
  fwCfg.addFile("etc/smbios/smbios-tables", board.smbios.structures);
}

/** @param image built for address 0 @returns the tables, the root pointer (which has to be where systems look for it), and how they become one. */
export function acpiFiles(image: AcpiImage): (readonly [name: string, bytes: Uint8Array])[] {
  const end = image.rsdpAddress;
  /** Which file an offset in the image is in. */
  const place = (at: number) => (at < end ? { file: TABLES_FILE, at } : { file: RSDP_FILE, at: at - end });
  const commands = [
    allocate(TABLES_FILE, 64, Zone.High),
    allocate(RSDP_FILE, 16, Zone.FSegment),
    ...image.pointers.map(({ at, size }) => addPointer({ ...place(at), size, target: TABLES_FILE })),
    ...image.checksums.map(({ at, start, length }) =>
      addChecksum({ ...place(at), start: place(start).at, length }),
    ),
  ];
  const loader = new FieldWriter();
  for (const bytes of commands) loader.raw(bytes);
  return [
    [TABLES_FILE, image.bytes.slice(0, end)],
    [RSDP_FILE, image.bytes.slice(end, end + RSDP_BYTES)],
    [LOADER_FILE, loader.finish()],
  ];
}

/** RAM, and what is in use above it: what firmware reserves in RAM is its own affair. */
function e820(ramSize: number): Uint8Array {
  const writer = new FieldWriter().u64(0).u64(ramSize).u32(MemoryType.Ram);
  for (const { start, length, type } of memoryMap(ramSize))
    if (start >= ramSize && type === MemoryType.Reserved) writer.u64(start).u64(length).u32(type);
  return writer.finish();
}
