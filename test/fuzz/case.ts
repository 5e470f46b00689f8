/**
 * A test case and what it leaves, in the layout that `silicon.c` reads and writes (struct registers there). Both are
 * buffers with views, filled again and again: the fuzzer makes no objects per case.
 */

/** The part of an FXSAVE image that has architectural contents (Intel SDM vol. 1, 10.5.1). */
export const FX_SIZE = 416;

/** Offsets in an FXSAVE image. */
export const Fx = { FCW: 0, FSW: 2, FTW: 4, FOP: 6, FIP: 8, FDP: 16, MXCSR: 24, ST: 32, XMM: 160 } as const;

/** The upper halves of the 16 YMM registers: the YMM component of an XSAVE area (13.4.3). */
const YMM_SIZE = 256;

/** Offsets in both records. The vector and what follows means nothing in a case, except {@link Layout.FX} and {@link Layout.YMM}. */
const Layout = {
  SIZE: 0,
  COUNT: 4,
  RIP: 8,
  RFLAGS: 16,
  GPR: 24,
  VECTOR: 152,
  ERROR: 156,
  FX: 160,
  ADDRESS: 576,
  FS_BASE: 584,
  GS_BASE: 592,
  YMM: 600,
};
const FIXED_SIZE = 856;
const CASE_CAPACITY = 0x4000;

/** Values of {@link FinalState.vector} beyond the exceptions. */
export const Outcome = {
  /** The watchdog ended the case. */
  TimedOut: 256,
  /** The code made a system call. */
  SystemCall: 257,
  /** The engine threw an error: {@link FinalState.note} says which. */
  Crashed: 258,
} as const;

class Registers {
  readonly bytes: Uint8Array;
  /** The whole fixed part as 32-bit words. */
  readonly words: Uint32Array;
  /** RAX…R15 in hardware encoding order. */
  readonly gpr: BigUint64Array;
  /** The same as pairs of 32-bit words, low first. */
  readonly gprWords: Uint32Array;
  readonly fx: Uint8Array;
  /** The upper half of each YMM register, 16 bytes each. */
  readonly ymm: Uint8Array;
  readonly view: DataView;

  constructor(buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer, 0, FIXED_SIZE / 4);
    this.gpr = new BigUint64Array(buffer, Layout.GPR, 16);
    this.gprWords = new Uint32Array(buffer, Layout.GPR, 32);
    this.fx = new Uint8Array(buffer, Layout.FX, FX_SIZE);
    this.ymm = new Uint8Array(buffer, Layout.YMM, YMM_SIZE);
    this.view = new DataView(buffer);
  }

  get rip(): bigint {
    return this.view.getBigUint64(Layout.RIP, true);
  }
  set rip(value: bigint) {
    this.view.setBigUint64(Layout.RIP, value, true);
  }

  get rflags(): number {
    return this.words[Layout.RFLAGS / 4];
  }
  set rflags(value: number) {
    this.words[Layout.RFLAGS / 4] = value;
  }

  get fcw(): number {
    return this.view.getUint16(Layout.FX + Fx.FCW, true);
  }
  set fcw(value: number) {
    this.view.setUint16(Layout.FX + Fx.FCW, value, true);
  }
  get fsw(): number {
    return this.view.getUint16(Layout.FX + Fx.FSW, true);
  }
  set fsw(value: number) {
    this.view.setUint16(Layout.FX + Fx.FSW, value, true);
  }
  /** One bit per physical register: 1 = in use. */
  get ftw(): number {
    return this.fx[Fx.FTW];
  }
  set ftw(value: number) {
    this.fx[Fx.FTW] = value;
  }
  get mxcsr(): number {
    return this.words[(Layout.FX + Fx.MXCSR) / 4];
  }
  set mxcsr(value: number) {
    this.words[(Layout.FX + Fx.MXCSR) / 4] = value;
  }

  protected get count(): number {
    return this.words[Layout.COUNT / 4];
  }
  protected set count(value: number) {
    this.words[Layout.COUNT / 4] = value;
  }
}

/** Initial registers and memory. The code is a patch like any other memory; RIP points to it. */
export class Case extends Registers {
  constructor() {
    super(new ArrayBuffer(CASE_CAPACITY));
    this.clear();
  }

  /** No patches; registers keep their values. */
  clear(): void {
    this.count = 0;
    this.size = FIXED_SIZE;
  }

  get size(): number {
    return this.words[Layout.SIZE / 4];
  }
  private set size(value: number) {
    this.words[Layout.SIZE / 4] = value;
  }

  /** Memory contents other than the baseline's; it must lie in one writable region. A later patch wins. */
  patch(address: number, bytes: Uint8Array): void {
    const at = this.size;
    const end = at + 8 + ((bytes.length + 7) & ~7);
    if (end > CASE_CAPACITY) throw new RangeError("too many patches for one case");
    this.view.setUint32(at, address, true);
    this.view.setUint32(at + 4, bytes.length, true);
    this.bytes.fill(0, at + 8 + bytes.length, end);
    this.bytes.set(bytes, at + 8);
    this.count++;
    this.size = end;
  }

  forEachPatch(visit: (address: number, bytes: Uint8Array) => void): void {
    let at = FIXED_SIZE;
    for (let left = this.count; left > 0; left--) {
      const length = this.view.getUint32(at + 4, true);
      visit(this.view.getUint32(at, true), this.bytes.subarray(at + 8, at + 8 + length));
      at += 8 + ((length + 7) & ~7);
    }
  }

  copyFrom(other: Case): void {
    this.bytes.set(other.bytes.subarray(0, other.size));
  }

  /** @throws RangeError if these bytes are no case */
  copyFromBytes(bytes: Uint8Array): void {
    const size =
      bytes.length < FIXED_SIZE ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (size !== bytes.length || size > CASE_CAPACITY) throw new RangeError("these bytes are no test case");
    this.bytes.set(bytes);
  }
}

/** Longest possible {@link FinalState}: every word of memory has changed. */
const CHANGES_CAPACITY = 0x2000;

/** Registers, exception and memory after a case. */
export class FinalState extends Registers {
  /** Why the engine crashed. */
  note = "";
  /** Address and value of each 8-byte word of memory that differs from the initial contents, by address. */
  readonly changes: BigUint64Array;

  constructor() {
    const buffer = new ArrayBuffer(FIXED_SIZE + 16 * CHANGES_CAPACITY);
    super(buffer);
    this.changes = new BigUint64Array(buffer, FIXED_SIZE, 2 * CHANGES_CAPACITY);
  }

  /** The exception that ended the case (3, #BP, is the regular end), or an {@link Outcome}. */
  get vector(): number {
    return this.words[Layout.VECTOR / 4];
  }
  set vector(value: number) {
    this.words[Layout.VECTOR / 4] = value;
  }

  /** Error code of the exception, 0 if it has none. */
  get error(): number {
    return this.words[Layout.ERROR / 4];
  }
  set error(value: number) {
    this.words[Layout.ERROR / 4] = value;
  }

  /** CR2 after a page fault, otherwise 0. */
  get address(): bigint {
    return this.view.getBigUint64(Layout.ADDRESS, true);
  }
  set address(value: bigint) {
    this.view.setBigUint64(Layout.ADDRESS, value, true);
  }

  get fsBase(): bigint {
    return this.view.getBigUint64(Layout.FS_BASE, true);
  }
  set fsBase(value: bigint) {
    this.view.setBigUint64(Layout.FS_BASE, value, true);
  }
  get gsBase(): bigint {
    return this.view.getBigUint64(Layout.GS_BASE, true);
  }
  set gsBase(value: bigint) {
    this.view.setBigUint64(Layout.GS_BASE, value, true);
  }

  /** How many pairs of {@link changes} are valid. */
  get changeCount(): number {
    return this.count;
  }
  set changeCount(value: number) {
    this.count = value;
  }

  copyFrom(other: FinalState): void {
    this.bytes.set(other.bytes.subarray(0, FIXED_SIZE + 16 * other.changeCount));
    this.note = other.note;
  }

  /** Takes over one record of the wire format. @returns its length in bytes */
  copyFromWire(bytes: Uint8Array, start: number): number {
    const size = bytes[start] | (bytes[start + 1] << 8) | (bytes[start + 2] << 16) | (bytes[start + 3] << 24);
    this.bytes.set(bytes.subarray(start, start + size));
    return size;
  }
}
