/**
 * Somebody else's BIOS in our machine: SeaBIOS, for instance. Its image ends at 4 GiB, where the processor begins, and its
 * last part is below 1 MiB, where it runs: there it is RAM from the start, as if the chipset had shadowed it already.
 * What it needs to know it reads from fw_cfg, as in QEMU.
 */

import { BootError } from "../boot/boot-error.ts";
import type { Board } from "./board.ts";
import { describeToFirmware } from "./firmware-tables.ts";
import { Layout } from "./memory-layout.ts";

const FOUR_GIB = 2 ** 32;
const KIB = 1024;
const LEAST_BYTES = 64 * KIB;
const MOST_BYTES = 16 * KIB * KIB;
/** How much of it fits below 1 MiB, above the VGA's memory. */
const MOST_SHADOW = 256 * KIB;
/** The reset vector's place in the last 16 bytes. */
const RESET_BYTES = 16;

export class Firmware {
  constructor(
    subject: string,
    private readonly bytes: Uint8Array,
    board: Board,
  ) {
    const { length } = bytes;
    if (length === 0) throw new BootError(subject, "is empty");
    if (length < LEAST_BYTES || length > MOST_BYTES || length % LEAST_BYTES !== 0) {
      throw new BootError(
        subject,
        `is no firmware image: it has ${length} bytes, not a multiple of 64 KiB up to 16 MiB`,
      );
    }
    const reset = bytes.subarray(length - RESET_BYTES);
    if (reset.every((byte) => byte === reset[0]))
      throw new BootError(subject, "is no firmware image: there is no code at its reset vector");
    board.bus.mapMemory(FOUR_GIB - length, length, {
      readMemory: (offset, size) => {
        let value = 0;
        for (let index = 0; index < size; index++) value += bytes[offset + index] * 2 ** (8 * index);
        return value;
      },
      writeMemory: () => {},
    });
    describeToFirmware(board);
  }

  /** Copies it to where it runs. */
  place(ram: Uint8Array): void {
    const shadow = this.bytes.subarray(-MOST_SHADOW);
    ram.set(shadow, Layout.ONE_MEGABYTE - shadow.length);
  }
}
