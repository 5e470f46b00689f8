/** Drives as INT 13h numbers them, and what in a disk can be booted. */

import { BootError } from "../boot/boot-error.ts";
import type { BlockBackend } from "../storage/block-backend.ts";
import { SECTOR_BYTES } from "../storage/block-backend.ts";
import { DiskWindow } from "./disk-window.ts";
import { type BootCatalogEntry, CD_SECTOR_BYTES, readBootCatalog } from "./el-torito.ts";
import { disketteGeometry, diskGeometry, type Geometry } from "./geometry.ts";

export interface Drive {
  /** DL: 00H the first diskette, 80H the first hard disk, E0H a CD that is booted without emulation. */
  readonly number: number;
  readonly kind: "diskette" | "disk" | "cd";
  readonly backend: BlockBackend;
  readonly sectorBytes: number;
  readonly geometry: Geometry;
}

/** What is loaded, and where execution begins. */
export interface BootChoice {
  readonly drive: Drive;
  /** Byte offset and length in the drive. */
  readonly offset: number;
  readonly length: number;
  /** Where it goes. */
  readonly segment: number;
  /** Boot sectors begin at 0000:7C00, El Torito images at their own segment. */
  readonly catalog?: BootCatalogEntry;
}

const BOOT_SEGMENT = 0x7c0;
const FIRST_DISK = 0x80;
const CD_DRIVE = 0xe0;
const NO_GEOMETRY: Geometry = { cylinders: 1, heads: 1, sectors: 1 };
/** A boot image of El Torito may not reach into the BIOS's own memory. */
const MOST_IMAGE_BYTES = 0x80000;

export function hasBootSignature(sector: Uint8Array): boolean {
  return sector[510] === 0x55 && sector[511] === 0xaa;
}

/** The drives of a machine, in the order of its disks; the first one is booted. */
export class Drives {
  readonly list: readonly Drive[];
  readonly boot: BootChoice;

  private constructor(list: readonly Drive[], boot: BootChoice) {
    this.list = list;
    this.boot = boot;
  }

  find(number: number): Drive | undefined {
    return this.list.find((drive) => drive.number === number);
  }

  get hardDisks(): number {
    return this.list.filter(({ kind }) => kind === "disk").length;
  }

  get diskettes(): number {
    return this.list.filter(({ kind }) => kind === "diskette").length;
  }

  /**
   * @param subject the first disk, as the person named it
   * @throws BootError if the first disk cannot be booted
   */
  static async open(subject: string, backends: readonly BlockBackend[]): Promise<Drives> {
    const drives: Drive[] = [];
    let boot: BootChoice | undefined;
    let next = FIRST_DISK;
    for (const [index, backend] of backends.entries()) {
      const sector = new Uint8Array(SECTOR_BYTES);
      await backend.read(0, sector);
      const entry = await readBootCatalog(backend);
      const floppy = disketteGeometry(backend.size);
      let drive: Drive;
      if (index === 0 && entry !== undefined) {
        const choice = bootCd(backend, entry);
        drive = choice.drive;
        boot = choice;
        if (drive.kind === "disk") next++;
      } else if (index === 0 && floppy !== undefined) {
        drive = { number: 0, kind: "diskette", backend, sectorBytes: SECTOR_BYTES, geometry: floppy };
      } else {
        const geometry = diskGeometry(backend, sector);
        drive = { number: next++, kind: "disk", backend, sectorBytes: SECTOR_BYTES, geometry };
      }
      drives.push(drive);
      if (index === 0 && boot === undefined) {
        if (!hasBootSignature(sector)) throw new BootError(subject, NOT_BOOTABLE);
        boot = { drive, offset: 0, length: SECTOR_BYTES, segment: BOOT_SEGMENT };
      }
    }
    if (boot === undefined) throw new BootError(subject, "there is no disk to boot");
    return new Drives(drives, boot);
  }
}

const NOT_BOOTABLE =
  "is not bootable: it has no boot signature (55 AA at the end of its first sector) and no El Torito boot catalog";

/** El Torito 1.0, 2.0: an image is run as it is, or plays a diskette or hard disk. */
function bootCd(backend: BlockBackend, entry: BootCatalogEntry): BootChoice {
  const start = entry.block * CD_SECTOR_BYTES;
  const { media, segment, sectors } = entry;
  if (media === "none") {
    const length = Math.min(sectors * SECTOR_BYTES, MOST_IMAGE_BYTES, backend.size - start);
    const drive: Drive = {
      number: CD_DRIVE,
      kind: "cd",
      backend,
      sectorBytes: CD_SECTOR_BYTES,
      geometry: NO_GEOMETRY,
    };
    return { drive, offset: start, length, segment, catalog: entry };
  }
  const size = media === "disk" ? backend.size - start : media.kib * 1024;
  const window = new DiskWindow(backend, start, Math.min(size, backend.size - start));
  const geometry =
    media === "disk" ? diskGeometry(window, new Uint8Array(SECTOR_BYTES)) : disketteGeometry(size);
  const drive: Drive = {
    number: media === "disk" ? FIRST_DISK : 0,
    kind: media === "disk" ? "disk" : "diskette",
    backend: window,
    sectorBytes: SECTOR_BYTES,
    geometry: geometry ?? NO_GEOMETRY,
  };
  return { drive, offset: 0, length: Math.max(1, sectors) * SECTOR_BYTES, segment, catalog: entry };
}
