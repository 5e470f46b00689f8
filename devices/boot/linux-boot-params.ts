/**
 * The "zero page" that a Linux kernel is started with: Documentation/arch/x86/zero-page.rst and boot.rst. Command line,
 * initrd, memory map and set-up data are placed with it.
 */

import { BootError } from "./boot-error.ts";
import type { LoaderMemory } from "./loader-memory.ts";
import type { MemoryRange } from "./memory-range.ts";

/** Offsets in boot_params; from SETUP_SECTS on it is the kernel's own set-up header. */
export const Param = {
  ORIG_VIDEO_MODE: 0x006,
  ORIG_VIDEO_COLS: 0x007,
  ORIG_VIDEO_LINES: 0x00e,
  ORIG_VIDEO_ISVGA: 0x00f,
  ORIG_VIDEO_POINTS: 0x010,
  ACPI_RSDP_ADDR: 0x070,
  E820_ENTRIES: 0x1e8,
  SETUP_SECTS: 0x1f1,
  VID_MODE: 0x1fa,
  BOOT_FLAG: 0x1fe,
  JUMP: 0x200,
  HEADER: 0x202,
  VERSION: 0x206,
  TYPE_OF_LOADER: 0x210,
  LOADFLAGS: 0x211,
  CODE32_START: 0x214,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  CMD_LINE_PTR: 0x228,
  INITRD_ADDR_MAX: 0x22c,
  KERNEL_ALIGNMENT: 0x230,
  RELOCATABLE_KERNEL: 0x234,
  XLOADFLAGS: 0x236,
  CMDLINE_SIZE: 0x238,
  SETUP_DATA: 0x250,
  PREF_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
  E820_TABLE: 0x2d0,
} as const;

export const HDRS = 0x53726448; // "HdrS"
export const BOOT_FLAG = 0xaa55;
const BOOT_PARAMS_BYTES = 4096;
const BOOT_PARAMS = 0x7000;
const COMMAND_LINE = 0x20000;
const SETUP_DATA_BLOCK = 0x30000;
const E820_ENTRY_BYTES = 20;
const E820_MOST = 128;
/** "Type of boot loader" of one that has no number. */
const LOADER_UNKNOWN = 0xff;
/** setup_data: u64 next, u32 type, u32 length, then the data. */
const SETUP_RNG_SEED = 9;
const SEED_BYTES = 32;

export interface LinuxBoot {
  readonly commandLine: string;
  readonly initrd?: { readonly subject: string; readonly bytes: Uint8Array };
  readonly memoryMap: readonly MemoryRange[];
  readonly rsdpAddress: number;
  /** Fresh random bytes for the guest's generator. */
  readonly random: (bytes: Uint8Array) => void;
}

/** The limits a kernel states in its header. */
export interface LinuxLimits {
  /** Longest command line, without its NUL. */
  readonly commandLine: number;
  /** Last address the initrd may touch. */
  readonly initrdAddress: number;
}

/**
 * Places everything but the kernel.
 * @param header the kernel's set-up header, from offset {@link Param.SETUP_SECTS} on; empty for a kernel that has none
 * @returns the address of boot_params
 * @throws BootError
 */
export function placeBootParams(
  memory: LoaderMemory,
  kernel: string,
  header: Uint8Array,
  limits: LinuxLimits,
  boot: LinuxBoot,
): number {
  const params = new Uint8Array(BOOT_PARAMS_BYTES);
  const view = new DataView(params.buffer);
  params.set(header, Param.SETUP_SECTS);
  // The display is a VGA in mode 3, as firmware leaves it (screen_info).
  view.setUint8(Param.ORIG_VIDEO_MODE, 3);
  view.setUint8(Param.ORIG_VIDEO_COLS, 80);
  view.setUint8(Param.ORIG_VIDEO_LINES, 25);
  view.setUint8(Param.ORIG_VIDEO_ISVGA, 1);
  view.setUint16(Param.ORIG_VIDEO_POINTS, 16, true);
  view.setUint8(Param.TYPE_OF_LOADER, LOADER_UNKNOWN);
  view.setUint16(Param.VID_MODE, 0xffff, true);
  view.setBigUint64(Param.ACPI_RSDP_ADDR, BigInt(boot.rsdpAddress), true);
  placeCommandLine(memory, kernel, view, limits, boot.commandLine);
  placeInitrd(memory, view, limits, boot);
  placeSeed(memory, kernel, view, boot);
  writeE820(view, boot.memoryMap);
  memory.place(kernel, "the boot parameters", BOOT_PARAMS, params);
  return BOOT_PARAMS;
}

function placeCommandLine(
  memory: LoaderMemory,
  kernel: string,
  view: DataView,
  limits: LinuxLimits,
  commandLine: string,
): void {
  const text = new TextEncoder().encode(commandLine);
  if (text.length > limits.commandLine) {
    throw new BootError(
      kernel,
      `takes a command line of ${limits.commandLine} bytes, --append has ${text.length}`,
    );
  }
  const terminated = new Uint8Array(text.length + 1);
  terminated.set(text);
  memory.place(kernel, "the command line", COMMAND_LINE, terminated);
  view.setUint32(Param.CMD_LINE_PTR, COMMAND_LINE, true);
}

function placeInitrd(memory: LoaderMemory, view: DataView, limits: LinuxLimits, boot: LinuxBoot): void {
  if (boot.initrd === undefined) return;
  const { subject, bytes } = boot.initrd;
  if (bytes.length === 0) throw new BootError(subject, "is empty");
  const start = memory.highest(bytes.length, limits.initrdAddress + 1);
  if (start === undefined) {
    const mebibytes = Math.ceil(bytes.length / 2 ** 20);
    throw new BootError(
      subject,
      `has ${mebibytes} MiB, for which there is no room beside the kernel in ${Math.floor(memory.size / 2 ** 20)} MiB of memory; give it more with --memory`,
    );
  }
  memory.place(subject, "the initrd", start, bytes);
  view.setUint32(Param.RAMDISK_IMAGE, start, true);
  view.setUint32(Param.RAMDISK_SIZE, bytes.length, true);
}

function placeSeed(memory: LoaderMemory, kernel: string, view: DataView, boot: LinuxBoot): void {
  const block = new Uint8Array(16 + SEED_BYTES);
  const seed = new DataView(block.buffer);
  seed.setUint32(8, SETUP_RNG_SEED, true);
  seed.setUint32(12, SEED_BYTES, true);
  boot.random(block.subarray(16));
  memory.place(kernel, "the random seed", SETUP_DATA_BLOCK, block);
  view.setBigUint64(Param.SETUP_DATA, BigInt(SETUP_DATA_BLOCK), true);
}

function writeE820(view: DataView, ranges: readonly MemoryRange[]): void {
  const entries = ranges.slice(0, E820_MOST);
  view.setUint8(Param.E820_ENTRIES, entries.length);
  for (const [index, { start, length, type }] of entries.entries()) {
    const at = Param.E820_TABLE + index * E820_ENTRY_BYTES;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  }
}
