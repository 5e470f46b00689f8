/** The header that ACPI's tables share, their checksums, and a writer of their fields (ACPI 6.3, 5.2.6). */

const HEADER_BYTES = 36;
const LENGTH_OFFSET = 4;
const CHECKSUM_OFFSET = 9;
const OEM_ID = "OSVVM ";
const OEM_TABLE_ID = "OSVVMPC ";
const CREATOR_ID = "OSVV";

export class FieldWriter {
  private readonly bytes: number[] = [];

  get length(): number {
    return this.bytes.length;
  }

  private number(value: number, size: number): this {
    for (let index = 0; index < size; index++) this.bytes.push(Math.floor(value / 2 ** (8 * index)) & 0xff);
    return this;
  }

  u8(value: number): this {
    return this.number(value, 1);
  }

  u16(value: number): this {
    return this.number(value, 2);
  }

  u32(value: number): this {
    return this.number(value, 4);
  }

  u64(value: number): this {
    return this.number(value, 8);
  }

  text(value: string): this {
    for (const letter of value) this.bytes.push(letter.charCodeAt(0) & 0xff);
    return this;
  }

  zeros(count: number): this {
    for (let index = 0; index < count; index++) this.bytes.push(0);
    return this;
  }

  raw(bytes: ArrayLike<number>): this {
    for (let index = 0; index < bytes.length; index++) this.bytes.push(bytes[index]);
    return this;
  }

  finish(): Uint8Array {
    return new Uint8Array(this.bytes);
  }
}

/** Sets the byte at `at` so that all of `bytes` sum to zero. */
export function setChecksum(bytes: Uint8Array, at: number): void {
  bytes[at] = 0;
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** A table with its header. */
export function acpiTable(
  signature: string,
  revision: number,
  body: (writer: FieldWriter) => void,
): Uint8Array {
  const writer = new FieldWriter()
    .text(signature)
    .u32(0)
    .u8(revision)
    .u8(0)
    .text(OEM_ID)
    .text(OEM_TABLE_ID)
    .u32(1)
    .text(CREATOR_ID)
    .u32(1);
  if (writer.length !== HEADER_BYTES) throw new Error(`an ACPI header of ${writer.length} bytes`);
  body(writer);
  const bytes = writer.finish();
  new DataView(bytes.buffer).setUint32(LENGTH_OFFSET, bytes.length, true);
  setChecksum(bytes, CHECKSUM_OFFSET);
  return bytes;
}

/** Generic address structure (5.2.3.2): a register in the port or memory space. */
export function genericAddress(
  writer: FieldWriter,
  space: "memory" | "port",
  bits: number,
  address: number,
): void {
  const accessSize = { 8: 1, 16: 2, 32: 3, 64: 0 }[bits] ?? 0;
  writer
    .u8(space === "memory" ? 0 : 1)
    .u8(bits)
    .u8(0)
    .u8(accessSize)
    .u64(address);
}
