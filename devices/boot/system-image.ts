/** Is a file something to boot, a kernel or a disk, or a program? Told by its first bytes. */

import { isElf } from "./elf-image.ts";
import { isBzImage } from "./linux-bzimage.ts";
import { findMultibootHeader } from "./multiboot.ts";

const QCOW2_MAGIC = [0x51, 0x46, 0x49, 0xfb];
const BOOT_SIGNATURE_AT = 510;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PHDR_SIZE = 56;

/** @param head the first bytes of the file, some KiB */
export function isSystemImage(head: Uint8Array): boolean {
  if (head.length < 64) return false;
  if (isElf(head)) return isElfKernel(head);
  if (isBzImage(head) || findMultibootHeader(head) !== undefined) return true;
  if (QCOW2_MAGIC.every((byte, index) => head[index] === byte)) return true;
  return head[BOOT_SIGNATURE_AT] === 0x55 && head[BOOT_SIGNATURE_AT + 1] === 0xaa;
}

/** A kernel has a multiboot header, or is linked into the upper half; 32-bit ELF files are no programs of ours. */
function isElfKernel(head: Uint8Array): boolean {
  if (findMultibootHeader(head) !== undefined || head[4] !== 2) return true;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const start = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  let isHigh = false;
  for (let index = 0; index < count; index++) {
    const at = start + index * PHDR_SIZE;
    if (at + PHDR_SIZE > head.length) break;
    const type = view.getUint32(at, true);
    if (type === PT_INTERP) return false;
    if (type === PT_LOAD && view.getBigUint64(at + 16, true) >= 1n << 63n) isHigh = true;
  }
  return isHigh;
}
