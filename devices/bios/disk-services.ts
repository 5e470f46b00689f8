/**
 * INT 13h: disks. Phoenix "System BIOS for IBM PCs, Compatibles, and EISA Computers", 2nd edition, chapter 10; extensions:
 * Phoenix "BIOS Enhanced Disk Drive Specification" 3.0 (1998); CDs: "El Torito" 1.0, chapter 4.
 */

import { BlockError } from "../storage/block-backend.ts";
import { Bda, type BiosMemory } from "./bios-memory.ts";
import type { BiosCall } from "./bios-processor.ts";
import type { Drive, Drives } from "./drive.ts";
import { DISKETTE_PARAMETERS_OFFSET, ROM_SEGMENT } from "./rom.ts";

/** AH on return. */
const Status = {
  Ok: 0x00,
  BadCommand: 0x01,
  WriteProtected: 0x03,
  DmaBoundary: 0x09,
  UncorrectableError: 0x10,
  NotReady: 0xaa,
  NotRemovable: 0xb2,
} as const;

/** What 41h answers: the version of EDD, and which subsets there are (EDD 3.0, 8.1). */
const EDD_VERSION = 0x30;
const SUBSET_FIXED_DISK = 1 << 0;
const SUBSET_EDD = 1 << 2;
const PACKET_BYTES = 16;
const PACKET_BYTES_64 = 24;
/** In place of segment:offset: the 64-bit address behind the block number (EDD 3.0, 7.2). */
const FLAT_ADDRESS = 0xffffffff;
/** At most 127 sectors in one call (EDD 3.0, 7.1); we take what fits into the register. */
const PIECE_SECTORS = 128;

/** 48h: sizes of the result by version 1.x, 2.x (EDD 3.0, 8.7, table 16). */
const PARAMETERS_V1 = 26;
const PARAMETERS_V2 = 30;
/** Geometry in the result is valid; DMA boundary errors are handled. */
const INFO_GEOMETRY_VALID = 1 << 1;
const INFO_DMA_TRANSPARENT = 1 << 0;
const INFO_REMOVABLE = 1 << 2;

/** What a drive has in CMOS, as 08h reports: 1.44 MB; 2.88 MB. */
const DISKETTE_TYPES: Readonly<Record<number, number>> = { 9: 3, 15: 2, 18: 4, 36: 6 };

/** The last cylinder of a hard disk is for diagnostics: BIOSes tell of it neither in 08h nor in 15h. */
function reportedCylinders({ kind, geometry: { cylinders } }: Drive): number {
  return kind === "disk" ? Math.max(1, cylinders - 1) : cylinders;
}

export class DiskServices {
  private lastStatus = 0;

  constructor(
    private readonly memory: BiosMemory,
    private readonly drives: () => Drives | undefined,
  ) {}

  get status(): number {
    return this.lastStatus;
  }

  set status(value: number) {
    this.lastStatus = value;
  }

  async serve(call: BiosCall): Promise<void> {
    const { registers } = call;
    const drive = this.drives()?.find(registers.dl);
    const command = registers.ah;
    if (command === 0x01) {
      // The status of the last operation is read, and with it CF.
      registers.ah = this.lastStatus;
      call.setCarry(this.lastStatus !== Status.Ok);
      return;
    }
    const isMissing = drive === undefined && command !== 0x08 && command !== 0x15;
    const status = isMissing ? Status.BadCommand : await this.command(call, command, drive);
    this.finish(call, drive, status);
  }

  private finish(call: BiosCall, drive: Drive | undefined, status: number | undefined): void {
    if (status === undefined) return; // it has set AH itself
    this.lastStatus = status;
    this.memory.putU8(drive?.kind === "diskette" ? Bda.DISKETTE_STATUS : Bda.DISK_STATUS, status);
    call.registers.ah = status;
    call.setCarry(status !== Status.Ok);
  }

  /** @returns the status, or undefined if AH and CF have been set */
  private async command(
    call: BiosCall,
    command: number,
    drive: Drive | undefined,
  ): Promise<number | undefined> {
    const { registers } = call;
    if (command === 0x08) return this.parameters(call, drive);
    if (command === 0x15) return this.driveType(call, drive);
    if (drive === undefined) return Status.BadCommand;
    switch (command) {
      case 0x00: // reset
      case 0x0d:
      case 0x09: // initialize drive parameters
      case 0x0c: // seek
      case 0x10: // test ready
      case 0x11: // recalibrate
      case 0x14: // controller diagnostic
      case 0x47: // extended seek
        registers.ah = 0;
        return Status.Ok;
      case 0x02:
      case 0x03:
      case 0x04:
        return this.transferByGeometry(call, drive, command);
      case 0x16: // has the diskette been changed?
        return Status.Ok;
      case 0x17:
      case 0x18:
        return drive.kind === "diskette" ? this.mediaType(call) : Status.BadCommand;
      case 0x41:
        return this.checkExtensions(call, drive);
      case 0x42:
      case 0x43:
      case 0x44:
        return drive.kind === "diskette"
          ? Status.BadCommand
          : this.transferByPacket(call, drive, command - 0x40);
      case 0x45:
      case 0x46:
        return drive.kind === "cd" ? Status.Ok : Status.NotRemovable;
      case 0x48:
        return drive.kind === "diskette" ? Status.BadCommand : this.extendedParameters(call, drive);
      case 0x49:
        return drive.kind === "cd" ? Status.Ok : Status.NotRemovable;
      case 0x4b:
        return this.emulationStatus(call);
      case 0x4e: // hardware configuration: nothing to configure
        return Status.Ok;
      default:
        return Status.BadCommand;
    }
  }

  // ---- cylinders, heads, sectors ----

  private async transferByGeometry(call: BiosCall, drive: Drive, command: number): Promise<number> {
    const { registers } = call;
    const count = registers.al;
    const { geometry } = drive;
    const cylinder = registers.ch | ((registers.cl & 0xc0) << 2);
    const sector = registers.cl & 0x3f;
    const head = registers.dh;
    const isInside = sector >= 1 && sector <= geometry.sectors && head < geometry.heads;
    if (count === 0 || count > 128) return Status.BadCommand;
    const block = (cylinder * geometry.heads + head) * geometry.sectors + sector - 1;
    registers.al = 0;
    if (!isInside || drive.kind === "cd") return Status.BadCommand;
    const status = await this.transfer(drive, command, block, count, registers.at("es", registers.bx));
    if (status === Status.Ok) registers.al = count;
    return status;
  }

  /** @param command 2 reads, 3 writes, 4 verifies */
  private async transfer(
    drive: Drive,
    command: number,
    block: number,
    count: number,
    address: number,
  ): Promise<number> {
    const { backend, sectorBytes } = drive;
    if ((block + count) * sectorBytes > backend.size) return Status.BadCommand;
    if (command === 3 && backend.isReadOnly) return Status.WriteProtected;
    try {
      for (let done = 0; done < count; done += PIECE_SECTORS) {
        const length = Math.min(PIECE_SECTORS, count - done) * sectorBytes;
        const at = (block + done) * sectorBytes;
        const target = address + done * sectorBytes;
        if (command === 3) await backend.write(at, this.memory.read(target, length));
        else {
          const bytes = new Uint8Array(length);
          await backend.read(at, bytes);
          if (command === 2 && !this.memory.write(target, bytes)) return Status.DmaBoundary;
        }
      }
      if (command === 3) await backend.flush();
      return Status.Ok;
    } catch (error) {
      if (error instanceof BlockError) return Status.UncorrectableError;
      throw error;
    }
  }

  private parameters(call: BiosCall, drive: Drive | undefined): number {
    const { registers } = call;
    const drives = this.drives();
    const isDisk = (registers.dl & 0x80) !== 0;
    const count = (isDisk ? drives?.hardDisks : drives?.diskettes) ?? 0;
    registers.ax = 0;
    registers.bl = 0;
    if (drive === undefined || drive.kind === "cd") {
      registers.cx = 0;
      registers.dx = count;
      return isDisk ? Status.BadCommand : Status.Ok;
    }
    const { heads, sectors } = drive.geometry;
    const last = reportedCylinders(drive) - 1;
    registers.cx = ((last & 0xff) << 8) | ((last >> 2) & 0xc0) | sectors;
    registers.dh = heads - 1;
    registers.dl = count;
    if (drive.kind === "diskette") {
      registers.bl = DISKETTE_TYPES[sectors] ?? 4;
      registers.processor.setSegment("es", ROM_SEGMENT);
      registers.di = DISKETTE_PARAMETERS_OFFSET;
    }
    return Status.Ok;
  }

  /** 15h: AH is the answer, not a status. */
  private driveType(call: BiosCall, drive: Drive | undefined): undefined {
    const { registers } = call;
    call.setCarry(false);
    if (drive === undefined || drive.kind === "cd") {
      registers.ax = 0;
      call.setCarry(drive === undefined);
    } else if (drive.kind === "diskette") registers.ah = 1;
    else {
      const { heads, sectors } = drive.geometry;
      const total = reportedCylinders(drive) * heads * sectors;
      registers.ah = 3;
      registers.cx = total >>> 16;
      registers.dx = total & 0xffff;
    }
  }

  private mediaType(call: BiosCall): number {
    call.registers.processor.setSegment("es", ROM_SEGMENT);
    call.registers.di = DISKETTE_PARAMETERS_OFFSET;
    return Status.Ok;
  }

  // ---- extensions ----

  private checkExtensions(call: BiosCall, drive: Drive): number | undefined {
    const { registers } = call;
    if (registers.bx !== 0x55aa || drive.kind === "diskette") return Status.BadCommand;
    registers.bx = 0xaa55;
    registers.ah = EDD_VERSION;
    registers.cx = SUBSET_FIXED_DISK | SUBSET_EDD;
    call.setCarry(false);
    return undefined;
  }

  /** 42h, 43h, 44h: a packet at DS:SI tells what goes where. */
  private async transferByPacket(call: BiosCall, drive: Drive, command: number): Promise<number> {
    const { registers } = call;
    const { memory } = this;
    const packet = registers.at("ds", registers.si);
    const size = memory.u8(packet);
    if (size < PACKET_BYTES) return Status.BadCommand;
    const count = memory.u16(packet + 2);
    const pointer = memory.u32(packet + 4);
    const block = memory.u32(packet + 12) * 2 ** 32 + memory.u32(packet + 8);
    const isFlat = pointer === FLAT_ADDRESS && size >= PACKET_BYTES_64;
    const address = isFlat
      ? memory.u32(packet + 20) * 2 ** 32 + memory.u32(packet + 16)
      : (pointer >>> 16) * 16 + (pointer & 0xffff);
    if (!Number.isSafeInteger(block + count)) return Status.BadCommand;
    const status = await this.transfer(drive, command, block, count, address);
    if (status !== Status.Ok) memory.putU16(packet + 2, 0); // how much has been transferred
    return status;
  }

  /** 48h: the caller says how much it has room for. */
  private extendedParameters(call: BiosCall, drive: Drive): number {
    const { registers } = call;
    const address = registers.at("ds", registers.si);
    const room = this.memory.u16(address);
    if (room < PARAMETERS_V1) return Status.BadCommand;
    const { geometry, sectorBytes, backend } = drive;
    const result = new Uint8Array(room >= PARAMETERS_V2 ? PARAMETERS_V2 : PARAMETERS_V1);
    const view = new DataView(result.buffer);
    const total = Math.floor(backend.size / sectorBytes);
    const isCd = drive.kind === "cd";
    view.setUint16(0, result.length, true);
    view.setUint16(2, INFO_DMA_TRANSPARENT | (isCd ? INFO_REMOVABLE : INFO_GEOMETRY_VALID), true);
    if (!isCd) {
      const perCylinder = geometry.heads * geometry.sectors;
      view.setUint32(4, Math.max(1, Math.min(Math.floor(total / perCylinder), 16383)), true);
      view.setUint32(8, geometry.heads, true);
      view.setUint32(12, geometry.sectors, true);
    }
    view.setBigUint64(16, BigInt(total), true);
    view.setUint16(24, sectorBytes, true);
    if (result.length >= PARAMETERS_V2) view.setUint32(26, 0xffffffff, true); // no configuration parameters
    return this.memory.write(address, result) ? Status.Ok : Status.BadCommand;
  }

  /** 4Bh: ends the emulation of a diskette (it goes on here) and tells what is booted (El Torito, figure 7). */
  private emulationStatus(call: BiosCall): number {
    const { registers } = call;
    const boot = this.drives()?.boot;
    const catalog = boot?.catalog;
    if (boot === undefined || catalog === undefined || registers.al > 1) return Status.BadCommand;
    const packet = new Uint8Array(0x13);
    const view = new DataView(packet.buffer);
    packet[0] = packet.length;
    packet[1] = catalog.mediaByte;
    packet[2] = boot.drive.number;
    view.setUint32(4, catalog.block, true);
    view.setUint16(0x0c, catalog.segment, true);
    view.setUint16(0x0e, catalog.sectors, true);
    this.memory.write(registers.at("ds", registers.si), packet);
    return Status.Ok;
  }
}
