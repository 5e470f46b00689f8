/** Tells kernels apart by their content, and loads each by its own protocol. */

import { BootError } from "./boot-error.ts";
import { ElfImage, isElf } from "./elf-image.ts";
import type { EntryState } from "./entry-state.ts";
import type { LinuxBoot } from "./linux-boot-params.ts";
import { isBzImage, loadBzImage } from "./linux-bzimage.ts";
import { loadVmlinux } from "./linux-vmlinux.ts";
import type { LoaderMemory } from "./loader-memory.ts";
import { findMultibootHeader, loadMultiboot } from "./multiboot.ts";
import { loadPvh, pvhEntry } from "./pvh.ts";

/** What files that are no kernels begin with, for the error message. */
const FOREIGN: readonly (readonly [magic: readonly number[], what: string])[] = [
  [[0x1f, 0x8b], "a gzip file; unpack it first"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "an xz file; unpack it first"],
  [[0x28, 0xb5, 0x2f, 0xfd], "a zstd file; unpack it first"],
  [[0x4d, 0x5a], "an EFI program (or a DOS one), not a kernel with a Linux header"],
  [[0x30, 0x37, 0x30, 0x37], "a cpio archive: an initrd, not a kernel"],
  [[0x51, 0x46, 0x49, 0xfb], "a qcow2 disk image, not a kernel"],
  [[0x23, 0x21], "a script, not a kernel"],
];

/**
 * Does a file begin like a kernel? Disks may hold a multiboot header in their first sectors (GRUB's core image is one), so
 * that a boot sector outweighs it.
 * @param head its first 32 KiB, or all of it
 */
export function looksLikeKernel(head: Uint8Array): boolean {
  if (isBzImage(head) || isElf(head)) return true;
  const isBootSector = head[510] === 0x55 && head[511] === 0xaa;
  return !isBootSector && findMultibootHeader(head) !== undefined;
}

/**
 * Loads a kernel into memory.
 * @param subject its file, as the person named it
 * @returns how the processor starts it
 * @throws BootError
 */
export function loadKernel(
  subject: string,
  bytes: Uint8Array,
  memory: LoaderMemory,
  boot: LinuxBoot,
): EntryState {
  if (bytes.length === 0) throw new BootError(subject, "is empty");
  if (isBzImage(bytes)) return loadBzImage(subject, bytes, memory, boot);
  const header = findMultibootHeader(bytes);
  if (header !== undefined) {
    const { initrd } = boot;
    const modules = initrd === undefined ? [] : [{ ...initrd, text: initrd.subject }];
    const { commandLine, memoryMap } = boot;
    return loadMultiboot(subject, bytes, header, memory, { commandLine, memoryMap, modules });
  }
  if (isElf(bytes)) {
    const elf = new ElfImage(subject, bytes);
    // Linux has both entries; its 64-bit one needs less of the guest to run before it is in long mode.
    const entry = pvhEntry(elf);
    if (elf.is64Bit && isVmlinux(elf)) return loadVmlinux(elf, memory, boot);
    if (entry !== undefined) return loadPvh(elf, entry, memory, boot);
    throw new BootError(subject, "is an ELF file without a multiboot header or a PVH entry point");
  }
  const foreign = FOREIGN.find(([magic]) => magic.every((byte, index) => bytes[index] === byte));
  throw new BootError(
    subject,
    foreign === undefined
      ? "is no kernel: it has no Linux header, no multiboot header and is no ELF file"
      : `is ${foreign[1]}`,
  );
}

/** Linux puts its name and version into a note ("Linux", type 0x100: build salt; "GNU" alone could be anything). */
function isVmlinux(elf: ElfImage): boolean {
  return elf.notes().some(({ name }) => name === "Linux");
}
