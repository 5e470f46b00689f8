/**
 * Linux kernels as `make bzImage` leaves them, started at their 64-bit entry point or, if they have none, at their 32-bit
 * one: Documentation/arch/x86/boot.rst.
 */

import { BootError } from "./boot-error.ts";
import { type EntryState, placeGdt, placeIdentityMap, Selector } from "./entry-state.ts";
import { BOOT_FLAG, HDRS, type LinuxBoot, Param, placeBootParams } from "./linux-boot-params.ts";
import type { LoaderMemory } from "./loader-memory.ts";

const SECTOR = 512;
/** Where the 64-bit entry point is, from the start of the protected-mode code. */
const ENTRY_64 = 0x200;
/** xloadflags */
const XLF_KERNEL_64 = 1 << 0;
/** loadflags: the protected-mode code goes to 100000H and above. */
const LOADED_HIGH = 1 << 0;
/** Protocol 2.12 brought xloadflags, 2.10 init_size and pref_address. */
const VERSION_64BIT = 0x020c;
const VERSION_INIT_SIZE = 0x020a;
const LEAST_BYTES = Param.INIT_SIZE + 4;

/** Does a file have the set-up header of a Linux kernel? */
export function isBzImage(bytes: Uint8Array): boolean {
  if (bytes.length < LEAST_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint16(Param.BOOT_FLAG, true) === BOOT_FLAG && view.getUint32(Param.HEADER, true) === HDRS;
}

/**
 * Loads a kernel and all that it starts with.
 * @throws BootError
 */
export function loadBzImage(
  subject: string,
  bytes: Uint8Array,
  memory: LoaderMemory,
  boot: LinuxBoot,
): EntryState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint16(Param.VERSION, true);
  if ((view.getUint8(Param.LOADFLAGS) & LOADED_HIGH) === 0) {
    throw new BootError(subject, "is a zImage from before Linux 2.6, which this version does not boot");
  }
  if (version < VERSION_INIT_SIZE) {
    throw new BootError(subject, "is from before Linux 2.6.35, which this version does not boot");
  }
  const has64BitEntry =
    version >= VERSION_64BIT && (view.getUint16(Param.XLOADFLAGS, true) & XLF_KERNEL_64) !== 0;
  const setupSectors = view.getUint8(Param.SETUP_SECTS) || 4;
  const codeOffset = (setupSectors + 1) * SECTOR;
  const code = bytes.subarray(codeOffset);
  // syssize counts paragraphs of 16 bytes.
  const stated = view.getUint32(0x1f4, true) * 16;
  if (code.length === 0 || stated - code.length >= 16) {
    throw new BootError(
      subject,
      `is cut off: ${stated} bytes of kernel are promised, ${code.length} are there`,
    );
  }
  const headerEnd = 0x202 + view.getUint8(0x201);
  const header = bytes.subarray(Param.SETUP_SECTS, Math.min(headerEnd, 0x290));

  const address = Number(view.getBigUint64(Param.PREF_ADDRESS, true));
  const needed = view.getUint32(Param.INIT_SIZE, true);
  memory.place(subject, "the kernel", address, code, needed);
  const gdt = placeGdt(memory, subject, has64BitEntry ? 64 : 32);
  const selectors = { gdt, codeSelector: Selector.Code, dataSelector: Selector.Data };
  const cr3 = has64BitEntry ? placeIdentityMap(memory, subject) : undefined;
  const limits = {
    commandLine: view.getUint32(Param.CMDLINE_SIZE, true),
    initrdAddress: view.getUint32(Param.INITRD_ADDR_MAX, true),
  };
  const rsi = placeBootParams(memory, subject, header, limits, boot);
  if (cr3 !== undefined) return { mode: "long", entry: address + ENTRY_64, rsi, cr3, ...selectors };
  return { mode: "protected", entry: address, eax: 0, ebx: 0, esi: rsi, ...selectors };
}
