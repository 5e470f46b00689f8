/** Multiboot 1: "Multiboot Specification version 0.6.96". ELF kernels of 32 and 64 bits, and those with load addresses. */

import { BootError } from "./boot-error.ts";
import { ElfImage, isElf } from "./elf-image.ts";
import { type EntryState, placeGdt, Selector } from "./entry-state.ts";
import type { LoaderMemory } from "./loader-memory.ts";
import { type MemoryRange, MemoryType } from "./memory-range.ts";

/** 3.1.1 */
const HEADER_MAGIC = 0x1badb002;
const HEADER_SEARCH_BYTES = 8192;
const HEADER_BYTES = 12;
/** 3.1.2: a loader must refuse flags of bits 0…15 that it does not know. */
const FLAG_PAGE_ALIGN = 1 << 0;
const FLAG_MEMORY_INFO = 1 << 1;
const FLAG_VIDEO_MODE = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
const KNOWN_REQUIREMENTS = FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO;
/** 3.2 */
const BOOTLOADER_MAGIC = 0x2badb002;

/** 3.3: offsets in the information structure and the flags that say they are valid. */
const INFO = 0x7000;
const INFO_BYTES = 88;
const Info = {
  MEMORY: 1 << 0,
  COMMAND_LINE: 1 << 2,
  MODULES: 1 << 3,
  MEMORY_MAP: 1 << 6,
  LOADER_NAME: 1 << 9,
} as const;
const LOW_AREA = 0x7100;
const LOW_AREA_END = 0x9000;
const MODULE_BYTES = 16;
const MAP_ENTRY_BYTES = 24;
const LOADER_NAME = "osv-vm";

export interface MultibootModule {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Its "string", often a command line. */
  readonly text: string;
}

export interface MultibootBoot {
  readonly commandLine: string;
  readonly modules: readonly MultibootModule[];
  readonly memoryMap: readonly MemoryRange[];
}

/** Offset of the header in the file, or undefined. */
export function findMultibootHeader(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = Math.min(bytes.length, HEADER_SEARCH_BYTES) - HEADER_BYTES;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 2 ** 32 === 0) return at;
  }
  return undefined;
}

/** @throws BootError */
export function loadMultiboot(
  subject: string,
  bytes: Uint8Array,
  header: number,
  memory: LoaderMemory,
  boot: MultibootBoot,
): EntryState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint32(header + 4, true);
  if ((flags & FLAG_VIDEO_MODE) !== 0) {
    throw new BootError(subject, "is a multiboot kernel that asks for a video mode, and there is no screen");
  }
  const unknown = flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown !== 0) {
    throw new BootError(
      subject,
      `is a multiboot kernel with requirements that nobody knows (flags ${unknown.toString(16)}H)`,
    );
  }
  const entry =
    (flags & FLAG_ADDRESSES) !== 0
      ? loadByAddresses(subject, bytes, view, header, memory)
      : loadElf(subject, bytes, memory);
  placeInformation(subject, memory, boot);
  const gdt = placeGdt(memory, subject, 32);
  return {
    mode: "protected",
    entry,
    eax: BOOTLOADER_MAGIC,
    ebx: INFO,
    esi: 0,
    gdt,
    codeSelector: Selector.Code,
    dataSelector: Selector.Data,
  };
}

function loadElf(subject: string, bytes: Uint8Array, memory: LoaderMemory): number {
  if (!isElf(bytes)) {
    throw new BootError(
      subject,
      "has a multiboot header, but neither load addresses nor the form of an ELF file",
    );
  }
  const elf = new ElfImage(subject, bytes);
  elf.load(memory);
  const entry = elf.covers(elf.entry) ? elf.entry : elf.physicalOf(elf.entry);
  if (entry === undefined) throw new BootError(subject, "has its entry point outside of what is loaded");
  return entry;
}

/** 3.1.3: header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
function loadByAddresses(
  subject: string,
  bytes: Uint8Array,
  view: DataView,
  header: number,
  memory: LoaderMemory,
): number {
  if (header + 32 > bytes.length) throw new BootError(subject, "is cut off inside its multiboot header");
  const [headerAddress, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) =>
    view.getUint32(header + at, true),
  );
  const offset = header - (headerAddress - load);
  const length = loadEnd === 0 ? bytes.length - offset : loadEnd - load;
  if (offset < 0 || length <= 0 || (bssEnd !== 0 && bssEnd < load + length)) {
    throw new BootError(subject, "has load addresses in its multiboot header that contradict each other");
  }
  if (offset + length > bytes.length)
    throw new BootError(subject, "is cut off: a part to be loaded is missing");
  const memoryLength = bssEnd === 0 ? length : bssEnd - load;
  memory.place(subject, "the kernel", load, bytes.subarray(offset, offset + length), memoryLength);
  return entry;
}

function placeInformation(subject: string, memory: LoaderMemory, boot: MultibootBoot): void {
  const encoder = new TextEncoder();
  let next = LOW_AREA;
  const placeLow = (what: string, bytes: Uint8Array): number => {
    const at = next;
    next = Math.ceil((at + bytes.length) / 8) * 8;
    if (next > LOW_AREA_END) throw new BootError(subject, `${what} is too long for low memory`);
    memory.place(subject, what, at, bytes);
    return at;
  };

  const info = new Uint8Array(INFO_BYTES);
  const view = new DataView(info.buffer);
  const upper = boot.memoryMap.find(({ start, type }) => start === 2 ** 20 && type === MemoryType.Ram);
  const lower = boot.memoryMap.find(({ start, type }) => start === 0 && type === MemoryType.Ram);
  view.setUint32(4, Math.floor((lower?.length ?? 0) / 1024), true);
  view.setUint32(8, Math.floor((upper?.length ?? 0) / 1024), true);
  view.setUint32(16, placeLow("the command line", encoder.encode(`${boot.commandLine}\0`)), true);
  view.setUint32(64, placeLow("the loader's name", encoder.encode(`${LOADER_NAME}\0`)), true);

  const map = new Uint8Array(boot.memoryMap.length * MAP_ENTRY_BYTES);
  const mapView = new DataView(map.buffer);
  for (const [index, { start, length, type }] of boot.memoryMap.entries()) {
    const at = index * MAP_ENTRY_BYTES;
    mapView.setUint32(at, MAP_ENTRY_BYTES - 4, true); // the size field does not count itself
    mapView.setBigUint64(at + 4, BigInt(start), true);
    mapView.setBigUint64(at + 12, BigInt(length), true);
    mapView.setUint32(at + 20, type, true);
  }
  view.setUint32(44, map.length, true);
  view.setUint32(48, placeLow("the memory map", map), true);

  const modules = new Uint8Array(boot.modules.length * MODULE_BYTES);
  const modulesView = new DataView(modules.buffer);
  for (const [index, module] of boot.modules.entries()) {
    const start = memory.highest(module.bytes.length, memory.size);
    if (start === undefined) {
      throw new BootError(module.subject, "does not fit into memory; give it more with --memory");
    }
    memory.place(module.subject, `module ${index + 1}`, start, module.bytes);
    const text = placeLow("a module's string", encoder.encode(`${module.text}\0`));
    modulesView.setUint32(index * MODULE_BYTES, start, true);
    modulesView.setUint32(index * MODULE_BYTES + 4, start + module.bytes.length, true);
    modulesView.setUint32(index * MODULE_BYTES + 8, text, true);
  }
  if (boot.modules.length > 0) {
    view.setUint32(20, boot.modules.length, true);
    view.setUint32(24, placeLow("the list of modules", modules), true);
  }
  const modulesFlag = boot.modules.length > 0 ? Info.MODULES : 0;
  view.setUint32(0, Info.MEMORY | Info.COMMAND_LINE | modulesFlag | Info.MEMORY_MAP | Info.LOADER_NAME, true);
  memory.place(subject, "the multiboot information", INFO, info);
}
