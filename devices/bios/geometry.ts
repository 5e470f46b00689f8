/** Cylinders, heads and sectors: what INT 13h below the extensions counts in. */

import type { BlockBackend } from "../storage/block-backend.ts";
import { SECTOR_BYTES } from "../storage/block-backend.ts";

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

const MOST_CYLINDERS = 1024;
const SECTORS = 63;
/** The "assisted LBA" translation: the fewest heads with which no more than 1,024 cylinders are needed. */
const HEADS = [16, 32, 64, 128, 255] as const;

const PARTITION_TABLE = 0x1be;
const PARTITION_BYTES = 16;

/** Diskettes by their size in KiB. */
const DISKETTES: Readonly<Record<number, Geometry>> = {
  160: { cylinders: 40, heads: 1, sectors: 8 },
  180: { cylinders: 40, heads: 1, sectors: 9 },
  320: { cylinders: 40, heads: 2, sectors: 8 },
  360: { cylinders: 40, heads: 2, sectors: 9 },
  720: { cylinders: 80, heads: 2, sectors: 9 },
  1200: { cylinders: 80, heads: 2, sectors: 15 },
  1440: { cylinders: 80, heads: 2, sectors: 18 },
  2880: { cylinders: 80, heads: 2, sectors: 36 },
};

/** The geometry of a diskette of just this size, if there is one. */
export function disketteGeometry(size: number): Geometry | undefined {
  return DISKETTES[size / 1024];
}

/**
 * Geometry of a hard disk. Systems that were installed with another BIOS keep its geometry in their partition table: a
 * partition ends with the last sector of the last head.
 * @param bootSector the disk's first sector
 */
export function diskGeometry(backend: BlockBackend, bootSector: Uint8Array): Geometry {
  const total = Math.floor(backend.size / SECTOR_BYTES);
  const guessed = geometryOfPartitions(bootSector);
  const sectors = guessed?.sectors ?? SECTORS;
  const heads =
    guessed?.heads ??
    HEADS.find((count) => total <= MOST_CYLINDERS * count * SECTORS) ??
    HEADS[HEADS.length - 1];
  const cylinders = Math.max(1, Math.min(MOST_CYLINDERS, Math.floor(total / (heads * sectors))));
  return { cylinders, heads, sectors };
}

function geometryOfPartitions(sector: Uint8Array): { heads: number; sectors: number } | undefined {
  for (let index = 0; index < 4; index++) {
    const at = PARTITION_TABLE + index * PARTITION_BYTES;
    const isUsed = sector[at + 4] !== 0 && (sector[at] & 0x7f) === 0;
    const heads = sector[at + 5] + 1;
    const sectors = sector[at + 6] & 0x3f;
    // Partitioning programs that know no geometry write FE FF FF: 255 heads, 63 sectors.
    if (isUsed && heads > 1 && heads <= 255 && sectors > 1) return { heads, sectors };
  }
  return undefined;
}
