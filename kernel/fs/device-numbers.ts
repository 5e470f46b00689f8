/** Device numbers of mounted file systems that have no device: major 0 (Linux: get_anon_bdev). */

import { makedev } from "../vfs/character-device.ts";

/** Minor 2 is that of anonymous inodes (kernel/vfs/anonymous-inode.ts). */
let nextMinor = 20;

export function allocateDevice(): number {
  return makedev(0, nextMinor++);
}
