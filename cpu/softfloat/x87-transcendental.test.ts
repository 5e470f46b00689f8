import { describe, expect, it } from "vitest";
import { Exception, X87Control } from "./control.ts";
import { type Extended, type Unpacked, unpackExtended } from "./format.ts";
import { HostFpu, type HostInput, hostFpuUnavailable, hostIsIntel } from "./testing/host-fpu.ts";
import { Chance } from "./testing/operands.ts";
import { f2xm1, fyl2x, fyl2xp1 } from "./x87-logarithmic.ts";
import { fcos, fpatan, fptan, fsin, fsincos, isOutOfRange } from "./x87-trigonometric.ts";

const missing = hostFpuUnavailable();
if (missing !== null && process.env.CI === "true")
  throw new Error(`the FPU oracle is needed in CI: ${missing}`);
const unavailable = missing ?? (hostIsIntel() ? null : "the host's processor is not Intel's");
if (unavailable !== null) console.warn(`Transcendentals are not compared with the host: ${unavailable}`);

/** ST(0) = a and ST(1) = b before; ST(0) and, if it counts, ST(1) after. */
type Instruction = (a: Unpacked, b: Unpacked, control: X87Control) => Extended[];

const instructions: Record<string, Instruction> = {
  f2xm1: (a, _, control) => [f2xm1(a, control)],
  fyl2x: (a, b, control) => [fyl2x(b, a, control)],
  fyl2xp1: (a, b, control) => [fyl2xp1(b, a, control)],
  fpatan: (a, b, control) => [fpatan(b, a, control)],
  fsin: (a, _, control) => [fsin(a, control)],
  fcos: (a, _, control) => [fcos(a, control)],
  fsincos: (a, _, control) => {
    const { sine, cosine } = fsincos(a, control);
    return [cosine, sine];
  },
  fptan: (a, _, control) => {
    const { tangent, pushed } = fptan(a, control);
    return [pushed, tangent];
  },
};
const names = Object.keys(instructions);
const bitsOf = ({ significand, signExponent }: Extended) => (BigInt(signExponent) << 64n) | significand;
const unpackRegister = (bits: bigint) =>
  unpackExtended(BigInt.asUintN(64, bits), Number((bits >> 64n) & 0xffffn));

/** Places of numbers on a line where neighbours are 1 apart. */
function place(bits: bigint): bigint {
  const field = (bits >> 64n) & 0x7fffn;
  const magnitude = ((field === 0n ? 1n : field) << 63n) + BigInt.asUintN(64, bits);
  return (bits >> 79n) & 1n ? -magnitude : magnitude;
}

/** A number of the given exponent with a random significand and sign. */
function number(chance: Chance, exponent: number): bigint {
  return (BigInt((chance.below(2) << 15) | (exponent + 0x3fff)) << 64n) | (1n << 63n) | chance.bits(63);
}

const operandsOf: Record<string, (chance: Chance) => bigint> = {
  "ordinary numbers": (chance) => number(chance, chance.below(24) - 20),
  "large numbers": (chance) => number(chance, chance.below(63)),
  "all kinds of operands": (chance) => chance.extended(),
};

interface Comparison {
  /** Results compared: two for each FSINCOS; the 1.0 that FPTAN pushes does not count. */
  readonly results: number;
  /** How many of them have the host's bits. */
  readonly exact: number;
  /** Differences of more than a unit in the last place, or of flags. */
  readonly wrong: readonly string[];
}

const hasRange = new Set(["fsin", "fcos", "fsincos", "fptan"]);

function compare(
  oracle: HostFpu,
  operation: number,
  operand: (chance: Chance) => bigint,
  count: number,
  fcw: (chance: Chance) => number,
): Comparison {
  const name = names[operation];
  const chance = new Chance(operation + 1);
  const inputs: Required<HostInput>[] = Array.from({ length: count }, () => ({
    operation,
    control: fcw(chance),
    a: operand(chance),
    b: operand(chance),
    c: 0n,
    rax: 0n,
  }));
  const control = new X87Control();
  const wrong: string[] = [];
  let results = 0;
  let exact = 0;
  for (const [index, output] of oracle.run(inputs).entries()) {
    const { a, b, control: word } = inputs[index];
    control.load(word);
    const outOfRange = hasRange.has(name) && isOutOfRange(unpackRegister(a));
    const ours = outOfRange
      ? [a]
      : instructions[name](unpackRegister(a), unpackRegister(b), control).map(bitsOf);
    const hosts = [output.a, output.b];
    const distances = control.suppressed ? [] : ours.map((bits, n) => place(bits) - place(hosts[n]));
    const counted = name === "fptan" ? distances.slice(1) : distances;
    results += counted.length;
    exact += counted.filter((distance) => distance === 0n).length;
    if (
      distances.every((distance) => distance >= -1n && distance <= 1n) &&
      control.raised === (output.status & 0x3f) &&
      outOfRange === ((output.status & 0x400) !== 0)
    ) {
      continue;
    }
    wrong.push(
      `${name} of ${a.toString(16)} ${b.toString(16)}, fcw ${word.toString(16)}: ` +
        `${ours.map((bits) => bits.toString(16))} flags ${control.raised.toString(16)}, the host ` +
        `${hosts.map((bits) => bits.toString(16))} status ${output.status.toString(16)}`,
    );
  }
  return { results, exact, wrong };
}

describe.skipIf(unavailable !== null)("x87 transcendentals, against an Intel processor", () => {
  const oracle = () => new HostFpu(names.map((code) => ({ unit: "x87", code })));
  for (const [operation, name] of names.entries()) {
    for (const [kind, operand] of Object.entries(operandsOf)) {
      it(`${name} of ${kind}: same flags, at most one unit away, and 19 of 20 results have the same bits`, () => {
        const fcw = (chance: Chance) => 0x37f | (chance.below(4) << 10);
        const { results, exact, wrong } = compare(oracle(), operation, operand, 1500, fcw);
        expect(wrong.slice(0, 10)).toEqual([]);
        expect(exact / results).toBeGreaterThan(0.95);
      });
    }
    it(`${name}: same flags and results when exceptions are unmasked`, () => {
      const fcw = (chance: Chance) => 0x340 | chance.below(64) | (chance.below(4) << 10);
      const { wrong } = compare(oracle(), operation, operandsOf["all kinds of operands"], 1000, fcw);
      expect(wrong.slice(0, 10)).toEqual([]);
    });
  }
});

describe("x87 transcendentals", () => {
  it("know π to 66 bits, as the processor does: the sine of the nearest number to π is −2^−64", () => {
    const control = new X87Control();
    const pi = unpackExtended(0xc90f_daa2_2168_c235n, 0x4000);
    expect(bitsOf(fsin(pi, control)).toString(16)).toBe("bfbf8000000000000000");
    expect(control.flags).toBe(Exception.PE);
  });
});
