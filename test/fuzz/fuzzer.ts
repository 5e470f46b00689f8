/** The loop: generate a batch, run it on both sides, compare, shrink what differs. */

import { Vector } from "../../cpu/state.ts";
import { type Analysis, analyse } from "./analysis.ts";
import { Case, FinalState, Outcome } from "./case.ts";
import { type Difference, differences, isSame } from "./compare.ts";
import { EncodingMismatch } from "./draft.ts";
import type { Generator } from "./generate.ts";
import { shrink } from "./shrink.ts";
import type { Target } from "./target.ts";
import type { VendorDifferences } from "./vendor-differences.ts";

const BATCH = 256;

/** A case in which the two sides differ, as small as it could be made. */
export interface Failure {
  /** Number of the case in its seed, or -1. */
  readonly index: number;
  readonly case: Case;
  readonly analysis: Analysis;
  readonly differences: readonly Difference[];
  /** The mnemonics left in it. */
  readonly instructions: string;
  /** Kinds of places that differ. */
  readonly kind: string;
  /** How many cases failed in this way. */
  count: number;
}

export interface Summary {
  cases: number;
  instructions: number;
  /** Cases that ended in an exception, as generated ones may. */
  exceptions: number;
  /** Cases that ended in a way that is not compared: {@link NOT_COMPARED}. */
  skipped: number;
  /** Cases that failed. */
  failed: number;
  readonly failures: Map<string, Failure>;
  /** Instructions that our decoder reads differently than they were written. */
  readonly encodingMismatches: Set<string>;
  /** By row: cases that ran to their end, and others. */
  readonly completed: Uint32Array;
  readonly interrupted: Uint32Array;
}

export interface FuzzerOptions {
  readonly oracle: Target;
  readonly subject: Target;
  /** What the oracle does differently than our processor. */
  readonly host: VendorDifferences;
  readonly generator: Generator;
  readonly cases: number;
  /** Number of the first case. */
  readonly first?: number;
  /** Ends the run after so many different failures. */
  readonly stopAfter: number;
  readonly rowCount: number;
  readonly onFailure?: (failure: Failure) => void;
}

/**
 * Ends that say nothing about our engine: the watchdog's; and alignment checks, which no generated case asks for, but a POPF
 * of whatever is on the stack may.
 */
const NOT_COMPARED: ReadonlySet<number> = new Set([Outcome.TimedOut, Vector.AC]);

/** Longest list of failing sequences to shrink; single instructions are grouped without. */
const SHRINK_LIMIT = 40;

export class Fuzzer {
  private readonly cases = Array.from({ length: BATCH }, () => new Case());
  private readonly fromOracle = Array.from({ length: BATCH }, () => new FinalState());
  private readonly fromSubject = Array.from({ length: BATCH }, () => new FinalState());
  private readonly rows: number[][] = Array.from({ length: BATCH }, () => []);
  private readonly indices = new Float64Array(BATCH);
  private readonly pair: Pair;
  private readonly options: FuzzerOptions;
  private shrunk = 0;
  readonly summary: Summary;

  constructor(options: FuzzerOptions) {
    this.options = options;
    this.pair = new Pair(options.oracle, options.subject, options.host);
    this.summary = {
      cases: 0,
      instructions: 0,
      exceptions: 0,
      skipped: 0,
      failed: 0,
      failures: new Map(),
      encodingMismatches: new Set(),
      completed: new Uint32Array(options.rowCount),
      interrupted: new Uint32Array(options.rowCount),
    };
  }

  async run(): Promise<Summary> {
    const { options, summary } = this;
    const { oracle, subject } = options;
    const end = (options.first ?? 0) + options.cases;
    for (let index = options.first ?? 0; index < end; ) {
      let count = 0;
      for (; count < BATCH && index < end; index++) if (this.generate(index, count)) count++;
      const onOracle = oracle.run(this.cases, this.fromOracle, count);
      await subject.run(this.cases, this.fromSubject, count);
      await onOracle;
      for (let slot = 0; slot < count; slot++) {
        await this.judge(slot);
        if (summary.failures.size + summary.encodingMismatches.size >= options.stopAfter) return summary;
      }
    }
    return summary;
  }

  private generate(index: number, slot: number): boolean {
    try {
      const rows = this.options.generator.generate(index, this.cases[slot]);
      this.indices[slot] = index;
      this.rows[slot].length = 0;
      this.rows[slot].push(...rows);
      return true;
    } catch (error) {
      if (!(error instanceof EncodingMismatch)) throw error;
      this.summary.encodingMismatches.add(error.message);
      return false;
    }
  }

  private async judge(slot: number): Promise<void> {
    const { summary } = this;
    const silicon = this.fromOracle[slot];
    const ours = this.fromSubject[slot];
    const rows = this.rows[slot];
    summary.cases++;
    summary.instructions += rows.length;
    if (NOT_COMPARED.has(silicon.vector)) {
      summary.skipped++;
      return;
    }
    const isComplete = silicon.vector === 3;
    if (!isComplete) summary.exceptions++;
    const counts = isComplete ? summary.completed : summary.interrupted;
    for (const row of rows) counts[row]++;
    if (isSame(silicon, ours)) return;

    const initial = this.cases[slot];
    let verdict = judge(initial, silicon, ours, this.options.host);
    if (verdict === undefined) return;
    // On a busy host the oracle itself is, rarely, disturbed: what it does not do twice is not what it does.
    const again = await this.pair.askAgain(initial);
    if (!isSame(again, silicon)) {
      verdict = isSame(again, ours) ? undefined : judge(initial, again, ours, this.options.host);
      if (verdict === undefined) return;
    }
    summary.failed++;
    await this.record(this.indices[slot], initial, verdict);
  }

  private async record(index: number, failing: Case, verdict: Verdict): Promise<void> {
    const { failures } = this.summary;
    const known = failures.get(signatureOf(verdict));
    if (known !== undefined) {
      known.count++;
      return;
    }
    if (verdict.analysis.steps.length > 1 && this.shrunk >= SHRINK_LIMIT) return;
    this.shrunk++;
    const failure = await this.pair.shrink(index, failing, verdict);
    const signature = signatureOf(failure);
    const same = failures.get(signature);
    if (same !== undefined) {
      same.count++;
      return;
    }
    failures.set(signature, failure);
    this.options.onFailure?.(failure);
  }
}

interface Verdict {
  readonly analysis: Analysis;
  readonly differences: readonly Difference[];
}

/** Undefined if the difference is allowed or the case proves nothing. */
function judge(
  initial: Case,
  silicon: FinalState,
  ours: FinalState,
  host: VendorDifferences,
): Verdict | undefined {
  const analysis = analyse(initial, silicon);
  if (analysis.provesNothing) return undefined;
  const last = analysis.steps.find(({ address }) => BigInt(address) === silicon.rip);
  if (last !== undefined) {
    host.adjust(last.instruction, silicon, ours);
    if (host.excuses(last.instruction, initial, silicon, ours)) return undefined;
  }
  const found = differences(silicon, ours, analysis);
  if (found.length === 0 && analysis.tolerance?.kind === "nan") host.matters("horizontalNan");
  return found.length > 0 ? { analysis, differences: found } : undefined;
}

/** Failures with the same instructions and the same kind of difference count as one. */
function signatureOf({ analysis, differences: found }: Verdict): string {
  return `${instructionsOf(analysis)}: ${kindOf(found)}`;
}

function instructionsOf({ steps }: Analysis): string {
  const names = steps.map((step) => step.mnemonic).filter((name) => name !== "nop");
  return names.length > 0 ? names.join("; ") : "(no instruction)";
}

/** How the two sides ended, if not in the same way. */
function outcomeOf([first]: readonly Difference[]): string | undefined {
  return first.what === "outcome" ? `${first.silicon} is ${first.ours}` : undefined;
}

/** Kinds of places that differ; if not even the outcome is the same, then that alone. */
function kindOf(found: readonly Difference[]): string {
  return outcomeOf(found) ?? [...new Set(found.map(({ what }) => placeOf(what)))].join(" ");
}

function placeOf(what: string): string {
  if (what.startsWith("[")) return "memory";
  if (/^(r[a-z0-9]+)$/.test(what) && what !== "rip") return "registers";
  return what.replace(/^(xmm|ymm|st)\d+(\.high)?$/, "$1");
}

/** Two targets, to run single cases on. */
export class Pair {
  private readonly oracle: Target;
  private readonly subject: Target;
  private readonly host: VendorDifferences;
  private readonly silicon = [new FinalState()];
  private readonly ours = [new FinalState()];

  constructor(oracle: Target, subject: Target, host: VendorDifferences) {
    this.host = host;
    this.oracle = oracle;
    this.subject = subject;
  }

  async verdict(initial: Case): Promise<Verdict | undefined> {
    await this.oracle.run([initial], this.silicon, 1);
    await this.subject.run([initial], this.ours, 1);
    if (NOT_COMPARED.has(this.silicon[0].vector) || isSame(this.silicon[0], this.ours[0])) return undefined;
    return judge(initial, this.silicon[0], this.ours[0], this.host);
  }

  /** What the oracle alone does with a case, another time. */
  async askAgain(initial: Case): Promise<FinalState> {
    await this.oracle.run([initial], this.silicon, 1);
    return this.silicon[0];
  }

  async shrink(index: number, failing: Case, verdict: Verdict): Promise<Failure> {
    const small = await shrink(
      failing,
      verdict.analysis,
      async (candidate) => (await this.verdict(candidate))?.analysis,
    );
    // Something that depends on what ran before is not there again: show it as it was.
    const again = await this.verdict(small);
    const { analysis, differences: found } = again ?? verdict;
    return {
      index,
      case: small,
      analysis,
      differences: found,
      instructions: instructionsOf(analysis),
      kind: kindOf(found),
      count: 1,
    };
  }
}
