/** CRC32: one step of CRC-32C (Castagnoli), Intel SDM vol. 2, CRC32. */

import { defineHelper } from "../helpers.ts";

/** 11EDC6F41 with its bits in opposite order. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) !== 0 ? POLYNOMIAL : 0);
  return crc;
});

/** Slot 0: the CRC so far; 1: data; 2: bytes of data. */
defineHelper("crc32c", (cpu) => {
  let crc = cpu.argumentI32(0);
  const data = cpu.argumentBytes(1);
  const length = cpu.argumentI32(2);
  for (let index = 0; index < length; index++) crc = (crc >>> 8) ^ TABLE[(crc ^ data[index]) & 0xff];
  cpu.setResult(0, crc >>> 0);
});
