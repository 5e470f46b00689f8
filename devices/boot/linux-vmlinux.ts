/** Uncompressed Linux kernels (vmlinux), entered in 64-bit mode with boot_params, as the decompressor would. */

import { BootError } from "./boot-error.ts";
import type { ElfImage } from "./elf-image.ts";
import { type EntryState, placeGdt, placeIdentityMap, Selector } from "./entry-state.ts";
import { BOOT_FLAG, HDRS, type LinuxBoot, Param, placeBootParams } from "./linux-boot-params.ts";
import type { LoaderMemory } from "./loader-memory.ts";

/** The set-up header stays behind in the bzImage; the kernel itself only looks at a few fields of it. */
const PROTOCOL_VERSION = 0x020f;
const COMMAND_LINE_BYTES = 2047;
const INITRD_ADDRESS_MAX = 0x7fffffff;
const HEADER_END = 0x268;

/** @throws BootError */
export function loadVmlinux(elf: ElfImage, memory: LoaderMemory, boot: LinuxBoot): EntryState {
  const { subject } = elf;
  // Linux names its physical entry point; other kernels' tools a virtual one.
  const entry = elf.covers(elf.entry) ? elf.entry : elf.physicalOf(elf.entry);
  if (entry === undefined) throw new BootError(subject, "has its entry point outside of what is loaded");
  elf.load(memory);
  const header = new Uint8Array(HEADER_END - Param.SETUP_SECTS);
  const view = new DataView(header.buffer);
  const at = (offset: number) => offset - Param.SETUP_SECTS;
  view.setUint16(at(Param.BOOT_FLAG), BOOT_FLAG, true);
  view.setUint32(at(Param.HEADER), HDRS, true);
  view.setUint16(at(Param.VERSION), PROTOCOL_VERSION, true);
  view.setUint32(at(Param.CMDLINE_SIZE), COMMAND_LINE_BYTES, true);
  view.setUint32(at(Param.INITRD_ADDR_MAX), INITRD_ADDRESS_MAX, true);
  const gdt = placeGdt(memory, subject, 64);
  const cr3 = placeIdentityMap(memory, subject);
  const limits = { commandLine: COMMAND_LINE_BYTES, initrdAddress: INITRD_ADDRESS_MAX };
  const rsi = placeBootParams(memory, subject, header, limits, boot);
  return {
    mode: "long",
    entry,
    rsi,
    gdt,
    codeSelector: Selector.Code,
    dataSelector: Selector.Data,
    cr3,
  };
}
