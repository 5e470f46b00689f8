/** The kernel's view of program memory: {@link UserMemory} over the {@link AddressSpace}. */

import { Access, PAGE_SIZE } from "../../mmu/translator.ts";
import { EFAULT, ENAMETOOLONG, Errno } from "../errno.ts";
import { decodeName } from "../vfs/names.ts";
import type { AddressSpace } from "./address-space.ts";
import { USER_END } from "./layout.ts";
import type { UserMemory } from "./user-memory.ts";

const PAGE_MASK = PAGE_SIZE - 1;
/** PATH_MAX (linux/limits.h). */
const STRING_LIMIT = 4096;

export class ProgramMemory implements UserMemory {
  private readonly view: DataView;

  constructor(
    private readonly space: AddressSpace,
    private readonly ram: Uint8Array,
    /** Told when an access fails because RAM is exhausted. */
    private readonly outOfMemory: () => void = () => {},
  ) {
    this.view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  }

  check(address: number, length: number, write: boolean): boolean {
    if (length === 0) return true;
    if (!(address >= 0 && length > 0 && address + length <= USER_END)) return false;
    const access = write ? Access.Write : Access.Read;
    const end = address + length;
    for (let page = address - (address & PAGE_MASK); page < end; page += PAGE_SIZE) {
      if (this.space.resolve(page, access) < 0) {
        if (this.space.fault(page, access) === "out of memory") this.outOfMemory();
        return false;
      }
    }
    return true;
  }

  private demand(address: number, length: number, write: boolean): void {
    if (!this.check(address, length, write)) throw new Errno(EFAULT);
  }

  /** Physical address of a byte; the page is there with the right, or EFAULT. */
  private at(address: number, access: Access): number {
    const physical = this.space.resolve(address, access);
    if (physical < 0) {
      if (this.space.fault(address, access) === "out of memory") this.outOfMemory();
      throw new Errno(EFAULT);
    }
    return physical;
  }

  read(address: number, length: number): Uint8Array {
    this.demand(address, length, false);
    const bytes = new Uint8Array(length);
    this.copyOut(address, bytes);
    return bytes;
  }

  readInto(address: number, target: Uint8Array): void {
    this.demand(address, target.length, false);
    this.copyOut(address, target);
  }

  private copyOut(address: number, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const length = Math.min(target.length - done, PAGE_SIZE - ((address + done) & PAGE_MASK));
      const from = this.at(address + done, Access.Read);
      target.set(this.ram.subarray(from, from + length), done);
      done += length;
    }
  }

  write(address: number, bytes: Uint8Array): void {
    this.demand(address, bytes.length, true);
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, PAGE_SIZE - ((address + done) & PAGE_MASK));
      const to = this.at(address + done, Access.Write);
      this.ram.set(bytes.subarray(done, done + length), to);
      this.space.frames.written(to, length);
      done += length;
    }
  }

  fill(address: number, length: number, value: number): void {
    this.demand(address, length, true);
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, PAGE_SIZE - ((address + done) & PAGE_MASK));
      const to = this.at(address + done, Access.Write);
      this.ram.fill(value, to, to + part);
      this.space.frames.written(to, part);
      done += part;
    }
  }

  readU8(address: number): number {
    return this.ram[this.at(address, Access.Read)];
  }

  readU16(address: number): number {
    if ((address & PAGE_MASK) > PAGE_SIZE - 2) return this.unaligned(address, 2).getUint16(0, true);
    return this.view.getUint16(this.at(address, Access.Read), true);
  }

  readU32(address: number): number {
    if ((address & PAGE_MASK) > PAGE_SIZE - 4) return this.unaligned(address, 4).getUint32(0, true);
    return this.view.getUint32(this.at(address, Access.Read), true);
  }

  readI32(address: number): number {
    return this.readU32(address) | 0;
  }

  readU64(address: number): bigint {
    if ((address & PAGE_MASK) > PAGE_SIZE - 8) return this.unaligned(address, 8).getBigUint64(0, true);
    return this.view.getBigUint64(this.at(address, Access.Read), true);
  }

  readI64(address: number): number {
    if ((address & PAGE_MASK) > PAGE_SIZE - 8) {
      const bytes = this.unaligned(address, 8);
      return bytes.getInt32(4, true) * 0x100000000 + bytes.getUint32(0, true);
    }
    const physical = this.at(address, Access.Read);
    return this.view.getInt32(physical + 4, true) * 0x100000000 + this.view.getUint32(physical, true);
  }

  /** A copy of a few bytes that may cross a page. */
  private unaligned(address: number, length: number): DataView {
    return new DataView(this.read(address, length).buffer);
  }

  writeU8(address: number, value: number): void {
    const physical = this.at(address, Access.Write);
    this.ram[physical] = value;
    this.space.frames.written(physical, 1);
  }

  writeU16(address: number, value: number): void {
    if ((address & PAGE_MASK) > PAGE_SIZE - 2) {
      this.write(address, new Uint8Array([value, value >>> 8]));
      return;
    }
    const physical = this.at(address, Access.Write);
    this.view.setUint16(physical, value, true);
    this.space.frames.written(physical, 2);
  }

  writeU32(address: number, value: number): void {
    if ((address & PAGE_MASK) > PAGE_SIZE - 4) {
      this.write(address, new Uint8Array([value, value >>> 8, value >>> 16, value >>> 24]));
      return;
    }
    const physical = this.at(address, Access.Write);
    this.view.setUint32(physical, value, true);
    this.space.frames.written(physical, 4);
  }

  writeU64(address: number, value: bigint): void {
    this.writeHalves(address, Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
  }

  writeI64(address: number, value: number): void {
    this.writeHalves(address, value | 0, Math.floor(value / 0x100000000) | 0);
  }

  private writeHalves(address: number, low: number, high: number): void {
    if ((address & PAGE_MASK) > PAGE_SIZE - 8) {
      const bytes = new DataView(new ArrayBuffer(8));
      bytes.setInt32(0, low, true);
      bytes.setInt32(4, high, true);
      this.write(address, new Uint8Array(bytes.buffer));
      return;
    }
    const physical = this.at(address, Access.Write);
    this.view.setInt32(physical, low, true);
    this.view.setInt32(physical + 4, high, true);
    this.space.frames.written(physical, 8);
  }

  readString(address: number, limit: number = STRING_LIMIT): string {
    let text = new Uint8Array(0);
    for (let at = address; text.length < limit; ) {
      const from = this.at(at, Access.Read);
      const length = Math.min(PAGE_SIZE - (at & PAGE_MASK), limit - text.length);
      const part = this.ram.subarray(from, from + length);
      const end = part.indexOf(0);
      const longer = new Uint8Array(text.length + (end < 0 ? length : end));
      longer.set(text);
      longer.set(end < 0 ? part : part.subarray(0, end), text.length);
      if (end >= 0) return decodeName(longer);
      text = longer;
      at += length;
    }
    throw new Errno(ENAMETOOLONG);
  }
}
