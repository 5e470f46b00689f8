/** Register values as bytes of the protocol: little-endian, in the sizes of the target description. */

import type { RegisterFile, RegisterSpec } from "../registers.ts";

export function valueBytes(spec: RegisterSpec, file: RegisterFile): Uint8Array {
  const bytes = new Uint8Array(spec.bits / 8);
  let value = spec.read(file);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

export function valueFrom(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]);
  return value;
}
