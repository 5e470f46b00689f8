/** One of our engines as a {@link Target}: the arena becomes guest memory, the case's registers the CPU state. */

import type { Cpu } from "../../cpu/cpu.ts";
import {
  GPR,
  MXCSR,
  SEGMENT_BASE,
  Segment,
  X87,
  X87_CONTROL,
  X87_STATUS,
  X87_STRIDE,
  X87_TAGS,
  X87_TOP,
  XMM,
  XMM_STRIDE,
  YMM_HIGH,
} from "../../cpu/state.ts";
import { PAGE_SIZE } from "../../mmu/translator.ts";
import { baseline, CODE, FS_BASE, GS_BASE, REGIONS, SNAPSHOT_SIZE, snapshotOffset } from "./arena.ts";
import { type Case, FinalState, Fx, Outcome } from "./case.ts";
import type { CaseProcessor, Ending } from "./case-processor.ts";
import { isSame } from "./compare.ts";
import type { Target } from "./target.ts";

/** More than any case needs: loops are short, and a string instruction ends at the end of its page. */
const BUDGET = 200_000;
/** Cases run in one go, or in runs of a few instructions: the engine can stop between any two and go on. */
const SLICES = [BUDGET, BUDGET, BUDGET, BUDGET, 1, 2, 3, 7];
const TIMED_OUT: Ending = { vector: Outcome.TimedOut, error: 0, address: 0n };
/** The low word of RIP in a case: where its code stands decides how it runs, so that shrinking does not change it. */
const RIP_WORD = 2;
const TOP_SHIFT = 11;
const TOP_MASK = 7 << TOP_SHIFT;

export class EngineTarget implements Target {
  readonly name: string;
  private readonly ram: Buffer;
  private readonly ramWords: BigUint64Array;
  private readonly ramHalves: Uint32Array;
  private readonly baseline = Buffer.from(baseline());
  /** What memory holds if the case changes nothing. */
  private readonly expected = Buffer.from(baseline());
  private readonly expectedHalves: Uint32Array;
  private readonly x87: Uint8Array;
  private readonly xmm: Uint8Array;
  private readonly gpr: BigUint64Array;
  /** Code bytes that are not the baseline's since the last run, as offsets. */
  private dirtyStart = SNAPSHOT_SIZE;
  private dirtyEnd = 0;

  private readonly passes: number;
  private readonly again = new FinalState();

  /**
   * @param options passes: how often each case runs, so that its code becomes hot; the result is that of the first pass,
   * or of one that was different
   */
  constructor(
    private readonly processor: CaseProcessor,
    options: { name?: string; passes?: number } = {},
  ) {
    const { cpu } = processor;
    this.cpu = cpu;
    const { buffer } = cpu.memory;
    this.ram = Buffer.from(buffer, 0, SNAPSHOT_SIZE);
    this.ramWords = new BigUint64Array(buffer, 0, SNAPSHOT_SIZE / 8);
    this.ramHalves = new Uint32Array(buffer, 0, SNAPSHOT_SIZE / 4);
    this.expectedHalves = new Uint32Array(this.expected.buffer, this.expected.byteOffset, SNAPSHOT_SIZE / 4);
    this.gpr = new BigUint64Array(buffer, cpu.base + GPR, 16);
    this.x87 = cpu.stateBytes(X87, 8 * X87_STRIDE);
    this.xmm = cpu.stateBytes(XMM, 16 * XMM_STRIDE);
    this.ram.set(this.baseline);
    this.name = options.name ?? processor.engine.name;
    this.passes = options.passes ?? 1;
  }

  readonly cpu: Cpu;

  async run(cases: readonly Case[], results: readonly FinalState[], count: number): Promise<void> {
    for (let index = 0; index < count; index++) this.runOne(cases[index], results[index]);
  }

  close(): void {}

  runOne(initial: Case, result: FinalState): void {
    this.runPass(initial, result);
    for (let pass = 1; pass < this.passes && result.vector !== Outcome.Crashed; pass++) {
      this.runPass(initial, this.again);
      if (isSame(result, this.again)) continue;
      result.copyFrom(this.again);
      result.note += ` (only in pass ${pass + 1})`;
      break;
    }
    this.removePatches(initial);
  }

  private runPass(initial: Case, result: FinalState): void {
    this.load(initial);
    result.note = "";
    try {
      this.store(result, this.execute(SLICES[initial.words[RIP_WORD] % SLICES.length]));
    } catch (error) {
      // A bug of the engine, and a finding like any other.
      this.store(result, { vector: Outcome.Crashed, error: 0, address: 0n });
      result.note = `: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  private execute(slice: number): Ending {
    for (let left = BUDGET; left > 0; left -= slice) {
      const ending = this.processor.run(slice);
      if (ending !== undefined) return ending;
    }
    return TIMED_OUT;
  }

  private load(initial: Case): void {
    const { cpu, gpr, x87, xmm } = this;
    initial.forEachPatch((address, bytes) => {
      const offset = snapshotOffset(address);
      // Code that is there already stays translated.
      if (address >= CODE.address && !this.holds(offset, bytes)) this.touchCode(offset, bytes.length);
      this.ram.set(bytes, offset);
      this.expected.set(bytes, offset);
    });
    if (this.dirtyStart < this.dirtyEnd) {
      this.processor.engine.invalidatePhysical(this.dirtyStart, this.dirtyEnd - this.dirtyStart);
      this.dirtyStart = SNAPSHOT_SIZE;
      this.dirtyEnd = 0;
    }

    this.processor.begin();
    gpr.set(initial.gpr);
    cpu.setSegmentBase(Segment.FS, Number(FS_BASE));
    cpu.setSegmentBase(Segment.GS, Number(GS_BASE));
    cpu.rip = Number(BigInt.asIntN(64, initial.rip));
    cpu.rflags = initial.rflags;
    const top = (initial.fsw & TOP_MASK) >> TOP_SHIFT;
    cpu.setI32(X87_CONTROL, initial.fcw);
    cpu.setI32(X87_STATUS, initial.fsw & ~TOP_MASK);
    cpu.setI32(X87_TOP, top);
    cpu.setI32(X87_TAGS, initial.ftw);
    cpu.setI32(MXCSR, initial.mxcsr);
    const { fx } = initial;
    for (let index = 0; index < 8; index++) {
      const to = ((top + index) & 7) * X87_STRIDE;
      const from = Fx.ST + 16 * index;
      for (let byte = 0; byte < 10; byte++) x87[to + byte] = fx[from + byte];
    }
    for (let index = 0; index < 16; index++) {
      const to = index * XMM_STRIDE;
      const from = Fx.XMM + 16 * index;
      for (let byte = 0; byte < 16; byte++) {
        xmm[to + byte] = fx[from + byte];
        xmm[to + YMM_HIGH + byte] = initial.ymm[16 * index + byte];
      }
    }
  }

  private store(result: FinalState, { vector, error, address }: Ending): void {
    const { cpu, x87, xmm } = this;
    result.gpr.set(this.gpr);
    result.rflags = cpu.rflags;
    result.rip = BigInt.asUintN(64, BigInt(cpu.rip));
    result.vector = vector;
    result.error = error;
    result.address = address;
    result.fsBase = cpu.getU64(SEGMENT_BASE + 8 * Segment.FS);
    result.gsBase = cpu.getU64(SEGMENT_BASE + 8 * Segment.GS);
    const top = cpu.getI32(X87_TOP);
    result.fcw = cpu.getI32(X87_CONTROL);
    result.fsw = cpu.getI32(X87_STATUS) | (top << TOP_SHIFT);
    result.ftw = cpu.getI32(X87_TAGS);
    result.mxcsr = cpu.getI32(MXCSR);
    const { fx } = result;
    for (let index = 0; index < 8; index++) {
      const from = ((top + index) & 7) * X87_STRIDE;
      const to = Fx.ST + 16 * index;
      for (let byte = 0; byte < 10; byte++) fx[to + byte] = x87[from + byte];
    }
    for (let index = 0; index < 16; index++) {
      const from = index * XMM_STRIDE;
      const to = Fx.XMM + 16 * index;
      for (let byte = 0; byte < 16; byte++) {
        fx[to + byte] = xmm[from + byte];
        result.ymm[16 * index + byte] = xmm[from + YMM_HIGH + byte];
      }
    }
    this.takeChanges(result);
  }

  /** Reports the words that differ from what was expected and puts the baseline back. */
  private takeChanges(result: FinalState): void {
    const { ramHalves, expectedHalves, ramWords } = this;
    let count = 0;
    let start = 0;
    for (const region of REGIONS) {
      for (let page = start; page < start + region.size; page += PAGE_SIZE) {
        if (this.ram.compare(this.expected, page, page + PAGE_SIZE, page, page + PAGE_SIZE) === 0) continue;
        for (let half = page / 4; half < (page + PAGE_SIZE) / 4; half += 2) {
          if (ramHalves[half] === expectedHalves[half] && ramHalves[half + 1] === expectedHalves[half + 1])
            continue;
          const at = 4 * half;
          result.changes[2 * count] = BigInt(region.address + at - start);
          result.changes[2 * count + 1] = ramWords[at / 8];
          count++;
          this.ram.set(this.baseline.subarray(at, at + 8), at);
          if (region === CODE) this.touchCode(at, 8);
        }
      }
      start += region.size;
    }
    result.changeCount = count;
  }

  private removePatches(initial: Case): void {
    initial.forEachPatch((address, bytes) => {
      const offset = snapshotOffset(address);
      const original = this.baseline.subarray(offset, offset + bytes.length);
      this.ram.set(original, offset);
      this.expected.set(original, offset);
      if (address >= CODE.address) this.touchCode(offset, bytes.length);
    });
  }

  private holds(offset: number, bytes: Uint8Array): boolean {
    return this.ram.compare(bytes, 0, bytes.length, offset, offset + bytes.length) === 0;
  }

  private touchCode(offset: number, length: number): void {
    this.dirtyStart = Math.min(this.dirtyStart, offset);
    this.dirtyEnd = Math.max(this.dirtyEnd, offset + length);
  }
}
