/**
 * The fast path of SSE floating point.
 *
 * WebAssembly computes with round-to-nearest and reports no exceptions. That is right, and fast, in the usual mode
 * (nearest, no DAZ or FTZ, all exceptions masked) if no operand is denormal and the result is a normal number or an exact
 * zero: then nothing but PE could be reported, and PE is usually sticky already; if it is not, a result that is exact
 * does not report it. Everything else goes to the exact helpers (cpu/helpers/sse.ts).
 */

import type { Builder } from "../../ir/builder.ts";
import type { Type, Value } from "../../ir/value.ts";
import { HALF_SLOTS, MXCSR } from "../../state.ts";

/** MXCSR (Intel SDM vol. 1, 10.2.3). */
const Mxcsr = { PE: 0x0020, DAZ: 0x0040, MASKS: 0x1f80, PM: 0x1000, RC: 0x6000, FTZ: 0x8000 } as const;

const mxcsr = (b: Builder) => b.field(MXCSR, "i32");

/** Rounds to nearest, all exceptions masked, no DAZ, no FTZ. */
export function usualMode(b: Builder): Value {
  const bits = Mxcsr.MASKS | Mxcsr.RC | Mxcsr.DAZ | Mxcsr.FTZ;
  return b.eq(b.and(mxcsr(b), b.const32(bits)), b.const32(Mxcsr.MASKS));
}

/** Nobody would notice that a result is inexact: PE is sticky and masked. */
export function inexactIsSilent(b: Builder): Value {
  const bits = Mxcsr.PE | Mxcsr.PM;
  return b.eq(b.and(mxcsr(b), b.const32(bits)), b.const32(bits));
}

/** The same, and rounding is to nearest. */
export function nearestIsSilent(b: Builder): Value {
  const bits = Mxcsr.PE | Mxcsr.PM;
  return b.eq(b.and(mxcsr(b), b.const32(bits | Mxcsr.RC)), b.const32(bits));
}

/** MXCSR's rounding mode, 0…3 (i32). */
export function roundingMode(b: Builder): Value {
  return b.and(b.shr(mxcsr(b), b.const32(13)), b.const32(3));
}

/** All of the conditions hold (0 or 1 each). */
export function all(b: Builder, ...conditions: Value[]): Value {
  return conditions.reduce((x, y) => b.and(x, y));
}

/** The helper that does what the fast path cannot. */
export interface ExactPath {
  readonly helper: string;
  /** At most {@link HALF_SLOTS}. */
  readonly args: readonly Value[];
  /** Type of its result, which is in slot 0. */
  readonly result: Type;
}

/** What {@link fastOrExact} was asked for. */
interface Alternatives {
  readonly fast: Value;
  readonly write: (value: Value) => void;
  readonly result: Value;
  readonly path: ExactPath;
}

/** While {@link joinHalves} is at work: what its halves ask for. */
let halves: Alternatives[] | undefined;

/** Writes `result` if `fast` holds, else what the helper computes. The last thing that a definition does. */
export function fastOrExact(
  b: Builder,
  fast: Value,
  write: (value: Value) => void,
  result: Value,
  path: ExactPath,
): void {
  if (halves !== undefined) {
    halves.push({ fast, write, result, path });
    return;
  }
  b.if(
    fast,
    () => write(result),
    () => {
      b.helper(path.helper, path.args);
      write(b.helperResult(0, path.result));
    },
  );
}

/**
 * Defines a 256-bit instruction by its halves. Either the fast path does both of them, or the helper `….256`: an exception in
 * one of them must leave the other undone.
 */
export function joinHalves(b: Builder, define: (half: 0 | 1) => void): void {
  const collected: Alternatives[] = [];
  halves = collected;
  try {
    define(0);
    define(1);
  } finally {
    halves = undefined;
  }
  if (collected.length === 0) return;
  const [low, high] = collected;
  const unused = Array.from({ length: HALF_SLOTS - low.path.args.length }, () => b.const32(0));
  b.if(
    b.and(low.fast, high.fast),
    () => {
      low.write(low.result);
      high.write(high.result);
    },
    () => {
      b.helper(`${low.path.helper}.256`, [...low.path.args, ...unused, ...high.path.args]);
      low.write(b.helperResult(0, low.path.result));
      high.write(b.helperResult(HALF_SLOTS, high.path.result));
    },
  );
}

/** Rounds to nearest, all exceptions masked, no DAZ, no FTZ, and PE is sticky already. */
export function usualModeAfterRounding(b: Builder): Value {
  const bits = Mxcsr.MASKS | Mxcsr.RC | Mxcsr.DAZ | Mxcsr.FTZ | Mxcsr.PE;
  return b.eq(b.and(mxcsr(b), b.const32(bits)), b.const32(Mxcsr.MASKS | Mxcsr.PE));
}

/** When a result may be taken as WebAssembly computes it. */
export interface SilentCases {
  /** A cheap test that holds nearly always where the others do: the rest is not looked at then. */
  readonly usually?: Value | undefined;
  /** The usual mode, and nothing but PE could be reported (0 or 1). */
  silent(): Value;
  /** The result is exact (0 or 1); looked at only if PE is not sticky. */
  isExact(): Value;
}

/** Writes `result` if only PE could have to be reported and is sticky already, or is not to be reported. */
export function silentOrExact(
  b: Builder,
  { usually, silent, isExact }: SilentCases,
  write: (value: Value) => void,
  result: Value,
  path: ExactPath,
): void {
  const fast = b.variable(usually ?? silent());
  const refine = (isSilent: Value) => {
    b.if(b.and(isSilent, b.eqz(b.and(mxcsr(b), b.const32(Mxcsr.PE)))), () => fast.set(isExact()));
  };
  if (usually === undefined) refine(fast.get());
  else
    b.if(b.eqz(usually), () => {
      const isSilent = silent();
      fast.set(isSilent);
      refine(isSilent);
    });
  fastOrExact(b, fast.get(), write, result, path);
}
