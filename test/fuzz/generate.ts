/** Generates cases: one instruction with everything around it random, or a sequence. The same seed, the same cases. */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";
import { CODE, STACK } from "./arena.ts";
import type { Case } from "./case.ts";
import { chooseFields } from "./choose.ts";
import { Draft } from "./draft.ts";
import { randomRegisters, randomTrap } from "./initial-state.ts";
import { PREPARATIONS } from "./preparations.ts";
import { planRow, type RowPlan } from "./row-plan.ts";
import { SequenceMaker } from "./sequence.ts";
import { toleranceOf } from "./tolerances.ts";
import type { VendorDifferences } from "./vendor-differences.ts";

const PAGE = 4096;
const RSP = 4;

export interface GeneratorOptions {
  readonly seed: number;
  /** Rows to generate, already without the excluded ones. */
  readonly rows: readonly OpcodeRow[];
  /** Sequences have at most this many instructions; 1: no sequences. */
  readonly length: number;
  /** What the oracle does differently than our processor. */
  readonly host: VendorDifferences;
}

export class Generator {
  private readonly draft: Draft;
  private readonly plans: readonly RowPlan[];
  private readonly sequences: SequenceMaker;
  private readonly seed: number;
  private readonly length: number;

  constructor(options: GeneratorOptions) {
    this.draft = new Draft(options.host);
    this.seed = options.seed;
    this.length = options.length;
    this.plans = options.rows.map(planRow);
    if (this.plans.length === 0) throw new Error("nothing to generate: every row is excluded");
    // A NaN that may be another one does not stay where it is.
    const inSequences = this.plans.filter(({ row }) => toleranceOf(row.mnemonic)?.kind !== "nan");
    this.sequences = new SequenceMaker(inSequences);
  }

  /**
   * Makes case number `index` of this seed.
   * @returns ids of the rows in it; valid until the next call
   * @throws EncodingMismatch if our decoder reads a generated instruction differently
   */
  generate(index: number, into: Case): readonly number[] {
    const { draft } = this;
    draft.random.reseed(this.seed, index);
    into.clear();
    // Every row gets its turn; sequences between them.
    if (this.length > 1 && this.sequences.isPossible && index % 2 === 1) this.sequence(into);
    else this.single(into, this.plans[(index >> (this.length > 1 ? 1 : 0)) % this.plans.length]);
    randomTrap(draft.random, into);
    into.rip = BigInt(draft.code.origin);
    const code = draft.code.contents();
    const room = CODE.address + CODE.size - draft.code.origin;
    into.patch(draft.code.origin, code.subarray(0, Math.min(code.length, room)));
    return draft.rows;
  }

  private single(into: Case, plan: RowPlan): void {
    const { draft } = this;
    const { random } = draft;
    draft.begin(into, true, singleOrigin(draft, plan));
    randomRegisters(random, into, plan.kind, 25);
    if (random.chance(80)) into.gpr[RSP] = BigInt(STACK.address + 0x1000 + 8 * random.below(0x100));
    const choice = chooseFields(draft, plan);
    PREPARATIONS.get(plan.row.mnemonic)?.(draft, plan, choice);
    const isCutOff = draft.code.origin > CODE.address + CODE.size - 16;
    const mayLock = plan.row.lock === undefined && !isCutOff && random.chance(0.5);
    if (mayLock && !(/^ver[rw]$/.test(plan.row.mnemonic) && draft.host.matters("lockedVerification"))) {
      // LOCK where there must be none: #UD. Our decoder has nothing to say about such bytes.
      draft.code.byte(0xf0);
      draft.code.instruction(draft.fields);
      return;
    }
    draft.append();
  }

  private sequence(into: Case): void {
    const { draft } = this;
    const { random } = draft;
    const nearPageEnd = random.chance(20);
    const origin = nearPageEnd
      ? CODE.address + PAGE - random.between(1, 200)
      : CODE.address + random.below(64);
    draft.begin(into, false, origin);
    randomRegisters(random, into, random.pick(["f32", "f64", "integer", "bytes"]), 5);
    this.sequences.make(draft, random.between(2, this.length));
  }
}

/** Where an instruction stands: anywhere, across pages, or cut off by the end of mapped memory. */
function singleOrigin({ random, host }: Draft, { row }: RowPlan): number {
  if (random.chance(80)) return CODE.address + random.below(PAGE - 64);
  if (random.chance(60)) return CODE.address + PAGE - random.between(1, 15);
  if (/^ud[01]$/.test(row.mnemonic) && host.matters("undefinedCutOff")) return CODE.address;
  return CODE.address + CODE.size - random.between(1, 15);
}
