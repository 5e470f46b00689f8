/** Bootable CDs: Phoenix and IBM, "El Torito" Bootable CD-ROM Format Specification 1.0 (1995). */

import type { BlockBackend } from "../storage/block-backend.ts";

export const CD_SECTOR_BYTES = 2048;
/** The boot record volume descriptor is at this sector (figure 7). */
const BOOT_RECORD_SECTOR = 17;
const CATALOG_POINTER = 0x47;
const IDENTIFIER = "EL TORITO SPECIFICATION";
const ENTRY_BYTES = 32;
/** Initial/default entry (figure 3): boot indicator. */
const BOOTABLE = 0x88;
const DEFAULT_SEGMENT = 0x7c0;
/** Platform IDs (figure 2): 0 is 80x86. */
const PLATFORM_X86 = 0;

export interface BootCatalogEntry {
  readonly media: "none" | "disk" | { readonly kib: 1200 | 1440 | 2880 };
  /** The media type byte as it is in the catalog. */
  readonly mediaByte: number;
  readonly segment: number;
  /** Sectors of 512 bytes to be loaded. */
  readonly sectors: number;
  /** Sector of 2,048 bytes where the image begins. */
  readonly block: number;
}

/** The default entry of the boot catalog; undefined if there is none that a PC can boot. */
export async function readBootCatalog(backend: BlockBackend): Promise<BootCatalogEntry | undefined> {
  const record = await sector(backend, BOOT_RECORD_SECTOR);
  if (record === undefined || text(record, 1, 5) !== "CD001" || record[0] !== 0) return undefined;
  if (text(record, 7, IDENTIFIER.length) !== IDENTIFIER) return undefined;
  const catalog = await sector(backend, new DataView(record.buffer).getUint32(CATALOG_POINTER, true));
  if (catalog === undefined) return undefined;
  const view = new DataView(catalog.buffer);
  const isValid =
    catalog[0] === 1 && catalog[30] === 0x55 && catalog[31] === 0xaa && catalog[1] === PLATFORM_X86;
  if (!isValid || catalog[ENTRY_BYTES] !== BOOTABLE) return undefined;
  const mediaByte = catalog[ENTRY_BYTES + 1];
  const media = MEDIA[mediaByte & 0xf];
  const block = view.getUint32(ENTRY_BYTES + 8, true);
  if (media === undefined || (block + 1) * CD_SECTOR_BYTES > backend.size) return undefined;
  return {
    media,
    mediaByte,
    segment: view.getUint16(ENTRY_BYTES + 2, true) || DEFAULT_SEGMENT,
    sectors: view.getUint16(ENTRY_BYTES + 6, true),
    block,
  };
}

const MEDIA: readonly BootCatalogEntry["media"][] = [
  "none",
  { kib: 1200 },
  { kib: 1440 },
  { kib: 2880 },
  "disk",
];

async function sector(backend: BlockBackend, index: number): Promise<Uint8Array | undefined> {
  if ((index + 1) * CD_SECTOR_BYTES > backend.size) return undefined;
  const bytes = new Uint8Array(CD_SECTOR_BYTES);
  await backend.read(index * CD_SECTOR_BYTES, bytes);
  return bytes;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
