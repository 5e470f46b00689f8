/**
 * The PVH boot protocol: xen/docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h. A kernel names its
 * 32-bit entry point in an ELF note.
 */

import { BootError } from "./boot-error.ts";
import type { ElfImage } from "./elf-image.ts";
import { type EntryState, placeGdt, Selector } from "./entry-state.ts";
import type { LinuxBoot } from "./linux-boot-params.ts";
import type { LoaderMemory } from "./loader-memory.ts";

const NOTE_NAME = "Xen";
const XEN_ELFNOTE_PHYS32_ENTRY = 18;

const START_INFO = 0x7000;
const START_INFO_MAGIC = 0x336ec578;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MEMORY_MAP_ENTRY_BYTES = 24;
const COMMAND_LINE = 0x20000;
const COMMAND_LINE_LIMIT = 0x10000;

/** The 32-bit entry point, if the kernel has one. */
export function pvhEntry(elf: ElfImage): number | undefined {
  const note = elf.notes().find(({ name, type }) => name === NOTE_NAME && type === XEN_ELFNOTE_PHYS32_ENTRY);
  if (note === undefined || note.descriptor.length < 4) return undefined;
  const { buffer, byteOffset } = note.descriptor;
  return new DataView(buffer, byteOffset).getUint32(0, true);
}

/** @throws BootError */
export function loadPvh(elf: ElfImage, entry: number, memory: LoaderMemory, boot: LinuxBoot): EntryState {
  const { subject } = elf;
  if (!elf.covers(entry)) throw new BootError(subject, "has its PVH entry point outside of what is loaded");
  elf.load(memory);
  const commandLine = new TextEncoder().encode(`${boot.commandLine}\0`);
  if (commandLine.length > COMMAND_LINE_LIMIT) {
    throw new BootError(
      subject,
      `--append has ${commandLine.length - 1} bytes, more than a PVH kernel can be given`,
    );
  }
  memory.place(subject, "the command line", COMMAND_LINE, commandLine);

  const { initrd, memoryMap } = boot;
  const modules = START_INFO + START_INFO_BYTES;
  const map = modules + MODULE_BYTES;
  const bytes = new Uint8Array(START_INFO_BYTES + MODULE_BYTES + memoryMap.length * MEMORY_MAP_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  const u64 = (offset: number, value: number) => view.setBigUint64(offset, BigInt(value), true);
  view.setUint32(0, START_INFO_MAGIC, true);
  view.setUint32(4, 1, true); // version: there is a memory map
  u64(24, COMMAND_LINE);
  u64(32, boot.rsdpAddress);
  u64(40, map);
  view.setUint32(48, memoryMap.length, true);
  if (initrd !== undefined) {
    const start = memory.highest(initrd.bytes.length, 2 ** 32);
    if (start === undefined || initrd.bytes.length === 0) {
      throw new BootError(
        initrd.subject,
        initrd.bytes.length === 0 ? "is empty" : "does not fit into memory; give it more with --memory",
      );
    }
    memory.place(initrd.subject, "the initrd", start, initrd.bytes);
    view.setUint32(12, 1, true);
    u64(16, modules);
    u64(START_INFO_BYTES, start);
    u64(START_INFO_BYTES + 8, initrd.bytes.length);
  }
  for (const [index, { start, length, type }] of memoryMap.entries()) {
    const at = START_INFO_BYTES + MODULE_BYTES + index * MEMORY_MAP_ENTRY_BYTES;
    u64(at, start);
    u64(at + 8, length);
    view.setUint32(at + 16, type, true);
  }
  memory.place(subject, "the start information", START_INFO, bytes);
  const gdt = placeGdt(memory, subject, 32);
  return {
    mode: "protected",
    entry,
    eax: 0,
    ebx: START_INFO,
    esi: 0,
    gdt,
    codeSelector: Selector.Code,
    dataSelector: Selector.Data,
  };
}
