import { describe, expect, it } from "vitest";
import { X87Control } from "./control.ts";
import { type Extended, unpackExtended } from "./format.ts";
import { fadd, fdiv, fmul, fsub } from "./x87-arithmetic.ts";
import { FastArithmetic, type Halves } from "./x87-fast-arithmetic.ts";

/** A 32-bit generator (Marsaglia's xorshift): the same numbers on every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const random = generator(0x6f73_7600);

/** Halves that make carries, borrows and ties likely. */
function half(): number {
  const kind = random() % 8;
  if (kind === 0) return 0;
  if (kind === 1) return 0xffff_ffff;
  if (kind === 2) return (1 << (random() & 31)) >>> 0;
  if (kind === 3) return ~(1 << (random() & 31)) >>> 0;
  return random();
}

function operand(exponent: number): Halves {
  return { low: half(), high: (half() | 0x8000_0000) >>> 0, signExponent: (random() & 0x8000) | exponent };
}

const value = ({ low, high, signExponent }: Halves): Extended => ({
  significand: (BigInt(high) << 32n) | BigInt(low),
  signExponent,
});
const unpacked = (halves: Halves) => {
  const { significand, signExponent } = value(halves);
  return unpackExtended(significand, signExponent);
};

const control = new X87Control();
const fast = new FastArithmetic();

type Fast = (a: Halves, b: Halves) => boolean;
const OPERATIONS: readonly (readonly [name: string, exact: typeof fadd, fast: Fast])[] = [
  ["fadd", fadd, (a, b) => fast.add(a, b)],
  ["fsub", fsub, (a, b) => fast.add(a, { ...b, signExponent: b.signExponent ^ 0x8000 })],
  ["fmul", fmul, (a, b) => fast.multiply(a, b)],
  ["fdiv", fdiv, (a, b) => fast.divide(a, b)],
];

function check(name: string, exact: typeof fadd, run: Fast, a: Halves, b: Halves): void {
  control.load(0x37f);
  const expected = exact(unpacked(a), unpacked(b), control);
  const context = `${name} ${JSON.stringify([a, b])}`;
  if (!run(a, b)) {
    // It may refuse, but only at the ends of the range.
    const exponent = expected.signExponent & 0x7fff;
    expect(exponent <= 1 || exponent >= 0x7ffe, context).toBe(true);
    return;
  }
  expect({ ...value(fast), inexact: fast.inexact, up: fast.up }, context).toEqual({
    ...expected,
    inexact: (control.flags & 0x20) !== 0,
    up: control.c1,
  });
}

describe("fast x87 arithmetic", () => {
  for (const [name, exact, run] of OPERATIONS) {
    it(`${name} is that of the exact arithmetic, rounding, PE and C1 included`, () => {
      for (let round = 0; round < 10_000; round++) {
        const exponent = 0x2000 + (random() % 0x4000);
        const a = operand(exponent);
        const b = operand(exponent - 80 + (random() % 160));
        check(name, exact, run, a, b);
        check(name, exact, run, a, { ...b, low: a.low, high: a.high });
      }
    });

    it(`${name} refuses to overflow and underflow`, () => {
      for (let round = 0; round < 3_000; round++) {
        const edge = round % 2 === 0 ? 1 + (random() % 70) : 0x7ffe - (random() % 70);
        const other = [edge, 0x3fff, 0x3ffe, 0x7ffe - edge + 1][random() % 4];
        check(name, exact, run, operand(edge), operand(other));
      }
    });
  }
});
