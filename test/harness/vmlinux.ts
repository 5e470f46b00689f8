/** The uncompressed kernel inside a bzImage: Linux, Documentation/arch/x86/boot.rst, payload_offset and payload_length. */

import { execFileSync } from "node:child_process";

const SETUP_SECTS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR = 512;
/** The length of what is inside follows the compressed data. */
const SIZE_BYTES = 4;

/** What unpacks a payload that begins so. */
const UNPACKERS: Readonly<Record<string, readonly string[]>> = {
  "02214c18": ["lz4", "-d", "-c"],
  "1f8b0800": ["gzip", "-d", "-c"],
  "28b52ffd": ["zstd", "-d", "-c"],
  fd377a58: ["xz", "-d", "-c"],
};

/** @returns the ELF file */
export function extractVmlinux(bzImage: Buffer): Buffer {
  const start = (bzImage[SETUP_SECTS] + 1) * SECTOR + bzImage.readUInt32LE(PAYLOAD_OFFSET);
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(PAYLOAD_LENGTH) - SIZE_BYTES);
  const [tool, ...parameters] = UNPACKERS[payload.toString("hex", 0, 4)] ?? ["unknown-compression"];
  return execFileSync(tool, parameters, {
    input: payload,
    maxBuffer: 1 << 28,
    stdio: ["pipe", "pipe", "ignore"],
  });
}

/** The same kernel without the notes that tell Linux: what is left to enter it by is its PVH entry point. */
export function withoutLinuxNotes(vmlinux: Buffer): Buffer {
  const changed = Buffer.from(vmlinux);
  const note = Buffer.from("06000000", "hex");
  for (let at = changed.indexOf(note); at >= 0; at = changed.indexOf(note, at + 4)) {
    const name = at + 12; // behind the sizes and the type
    if (changed.toString("latin1", name, name + 6) === "Linux\0") changed.write("Other", name, "latin1");
  }
  return changed;
}
