/**
 * The kernel's view of program memory. Every method checks the whole range first and throws Errno(EFAULT) when any of
 * it is not mapped with the needed right; addresses are JS numbers and may be anything a hostile program passes.
 */
export interface UserMemory {
  /** Can these bytes be read / written? Brings the pages in. */
  check(address: number, length: number, write: boolean): boolean;
  /** A copy of `length` bytes. */
  read(address: number, length: number): Uint8Array;
  readInto(address: number, target: Uint8Array): void;
  write(address: number, bytes: Uint8Array): void;
  fill(address: number, length: number, value: number): void;
  readU8(address: number): number;
  readU16(address: number): number;
  readU32(address: number): number;
  readI32(address: number): number;
  readU64(address: number): bigint;
  /** A 64-bit signed value as a JS number (rounded beyond 2^53). */
  readI64(address: number): number;
  writeU8(address: number, value: number): void;
  writeU16(address: number, value: number): void;
  writeU32(address: number, value: number): void;
  writeU64(address: number, value: bigint): void;
  /** A JS number as a signed 64-bit value. */
  writeI64(address: number, value: number): void;
  /** A NUL-terminated UTF-8 string of at most `limit` bytes; throws ENAMETOOLONG beyond. */
  readString(address: number, limit?: number): string;
}
