/** Linux kernels as `make bzImage` leaves them, started at their 64-bit entry point: Documentation/arch/x86/boot.rst. */

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
/** Protocol 2.12 brought xloadflags. */
const VERSION_64BIT = 0x020c;
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
  const isFor64Bit =
    version >= VERSION_64BIT && (view.getUint16(Param.XLOADFLAGS, true) & XLF_KERNEL_64) !== 0;
  if ((view.getUint8(Param.LOADFLAGS) & LOADED_HIGH) === 0) {
    throw new BootError(subject, "is a zImage from before Linux 2.6, which this version does not boot");
  }
  if (!isFor64Bit) {
    throw new BootError(
      subject,
      "is a 32-bit Linux kernel (or one before 3.8), which this version does not boot yet; use an amd64 one",
    );
  }
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
  const gdt = placeGdt(memory, subject);
  const cr3 = placeIdentityMap(memory, subject);
  const limits = {
    commandLine: view.getUint32(Param.CMDLINE_SIZE, true),
    initrdAddress: view.getUint32(Param.INITRD_ADDR_MAX, true),
  };
  const rsi = placeBootParams(memory, subject, header, limits, boot);
  return {
    mode: "long",
    entry: address + ENTRY_64,
    rsi,
    gdt,
    codeSelector: Selector.Code64,
    dataSelector: Selector.Data,
    cr3,
  };
}
