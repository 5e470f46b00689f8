import { beforeAll, describe, expect, it } from "vitest";
import { GuestException, helperNamed } from "../../helpers.ts";
import { MXCSR, Register, Vector } from "../../state.ts";
import { Machine } from "../testing/machine.ts";

let machine: Machine;
beforeAll(() => {
  machine = new Machine();
}, 120_000);

/** The first numbers with both signs, of the others one. */
function signed<Bits>(positive: Bits, negative: Bits, index: number): Bits[] {
  if (index < 6) return [positive, negative];
  return [index % 2 === 0 ? positive : negative];
}

const SINGLES = [
  0, 0x3f800000, 0x40400000, 0x3eaaaaab, 0x00800000, 0x00800001, 0x007fffff, 0x00000001, 0x7f7fffff,
  0x7f800000, 0x7fc00000, 0x7fa00000, 0x3f7fffff, 0x3f000000, 0x3fc00000, 0x40200000, 0x4b800001, 0x4f000000,
  0x4effffff, 0x5f000000, 0x457ff000, 0x45800800, 0x1e3ce508, 0x60ad78ec, 0x33800000,
].flatMap((bits, index) => signed(bits, (bits | 0x8000_0000) >>> 0, index));

const DOUBLES = [
  0n,
  0x3ff0000000000000n,
  0x4008000000000000n,
  0x3fd5555555555555n,
  0x0010000000000000n,
  0x0010000000000001n,
  0x000fffffffffffffn,
  1n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0x7ff8000000000000n,
  0x7ff4000000000000n,
  0x3fefffffffffffffn,
  0x3fe0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  0x4340000000000001n,
  0x41e0000000000000n,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0x43e0000000000000n,
  0x4190000008000000n,
  0x419fffffff000000n,
  0x20ac7c3b0c7a5a5an,
  0x5f138d352e5096afn,
  0x3810000000000000n,
  0x380fffffffffffffn,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x3690000000000000n,
  0x3ca0000000000000n,
].flatMap((bits, index) => signed(bits, bits | 0x8000_0000_0000_0000n, index));

/** PE clear and sticky; every rounding mode; DAZ, FTZ, both; PE unmasked; all unmasked; IE and DE sticky. */
const MODES = [
  0x1f80, 0x1fa0, 0x3fa0, 0x5f80, 0x7fa0, 0x1fc0, 0x9fa0, 0x9fe0, 0x0f80, 0x0fa0, 0x0000, 0x1fa3,
];

type Precision = "s" | "d";

/** Vectors whose lanes go through the list, and such with the same number in all lanes (a scalar is the first lane). */
function vectorsOf(precision: Precision): { readonly mixed: Uint8Array[]; readonly uniform: Uint8Array[] } {
  const count = precision === "s" ? SINGLES.length : DOUBLES.length;
  const vector = (first: number, step: number) => {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (let lane = 0; lane < (precision === "s" ? 4 : 2); lane++) {
      const index = (first + step * lane) % count;
      if (precision === "s") view.setUint32(4 * lane, SINGLES[index], true);
      else view.setBigUint64(8 * lane, DOUBLES[index], true);
    }
    return bytes;
  };
  const all = (step: number) => Array.from({ length: count }, (_, index) => vector(index, step));
  return { mixed: all(3), uniform: all(0) };
}

/** Every pair of numbers meets in scalars and in vectors, or every number if only the second operand counts. */
function* operandPairs(
  precision: Precision,
  size: number,
  unary: boolean,
): Generator<readonly [Uint8Array, Uint8Array]> {
  const { mixed, uniform } = vectorsOf(precision);
  const firsts = unary ? mixed.slice(0, 1) : uniform;
  for (const x of firsts) for (const y of uniform) yield [x, y];
  if (size < 16) return;
  for (const x of unary ? firsts : mixed) for (const y of mixed) yield [x, y];
}

/** What an instruction leaves: the exception, or the destination; and MXCSR. */
interface Outcome {
  readonly vector: number | undefined;
  readonly result: string;
  readonly mxcsr: number;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function byInstruction(
  code: readonly number[],
  x: Uint8Array,
  y: Uint8Array,
  mxcsr: number,
  size: number,
): Outcome {
  const { cpu } = machine;
  machine.xmm(0).set(x);
  machine.xmm(1).set(y);
  cpu.setI32(MXCSR, mxcsr);
  const vector = machine.run(code);
  const result = vector === undefined ? text(machine.xmm(0).subarray(0, size)) : "";
  return { vector, result, mxcsr: cpu.getI32(MXCSR) };
}

function byHelper(
  name: string,
  first: Uint8Array,
  second: Uint8Array,
  immediate: number,
  mxcsr: number,
  size: number,
): Outcome {
  const { cpu } = machine;
  const helper = helperNamed(name);
  if (helper === undefined) throw new Error(`no helper ${name}`);
  cpu.argumentBytes(0).set(first);
  cpu.argumentBytes(1).set(second);
  cpu.setResultI32(2, immediate);
  cpu.setI32(MXCSR, mxcsr);
  let vector: number | undefined;
  try {
    helper(cpu);
  } catch (error) {
    if (!(error instanceof GuestException)) throw error;
    vector = error.vector;
  }
  const result = vector === undefined ? text(cpu.argumentBytes(0).subarray(0, size)) : "";
  return { vector, result, mxcsr: cpu.getI32(MXCSR) };
}

function sameAsHelper(
  code: readonly number[],
  helper: string,
  precision: Precision,
  size: number,
  immediate: number,
  arrange: (x: Uint8Array, y: Uint8Array) => readonly [Uint8Array, Uint8Array],
  modes: readonly number[] = MODES,
): void {
  let exceptions = 0;
  for (const [x, y] of operandPairs(precision, size, arrange === sourceOnly)) {
    for (const mxcsr of modes) {
      const ours = byInstruction(code, x, y, mxcsr, size);
      const [first, second] = arrange(x, y);
      const exact = byHelper(helper, first, second, immediate, mxcsr, size);
      if (ours.vector !== undefined) exceptions++;
      if (ours.vector === exact.vector && ours.mxcsr === exact.mxcsr && ours.result === exact.result)
        continue;
      expect({ x: text(x), y: text(y), mode: mxcsr.toString(16), ...ours }).toEqual({
        x: text(x),
        y: text(y),
        mode: mxcsr.toString(16),
        ...exact,
      });
    }
  }
  expect(exceptions).toBeGreaterThan(0);
}

const straight = (x: Uint8Array, y: Uint8Array) => [x, y] as const;
const sourceOnly = (_x: Uint8Array, y: Uint8Array) => [y, y] as const;

/** Even lanes of both operands, then odd ones. */
const lanesApart = (laneBytes: number) => (x: Uint8Array, y: Uint8Array) => {
  const both = new Uint8Array(32);
  both.set(x);
  both.set(y, 16);
  const pick = (from: number) => {
    const picked = new Uint8Array(16);
    for (let at = 0; at < 16; at += laneBytes) {
      picked.set(both.subarray(2 * at + from, 2 * at + from + laneBytes), at);
    }
    return picked;
  };
  return [pick(0), pick(laneBytes)] as const;
};

/** The prefixes of OP xmm0, xmm1, and how much of the destination it writes. */
const FORMS = [
  ["ss", [0xf3], "s", 4],
  ["sd", [0xf2], "d", 8],
  ["ps", [], "s", 16],
  ["pd", [0x66], "d", 16],
] as const;

describe("the fast path of SSE floating point leaves what the exact path leaves", () => {
  for (const [suffix, prefix, precision, size] of FORMS) {
    for (const [name, opcode] of [
      ["add", 0x58],
      ["mul", 0x59],
      ["sub", 0x5c],
      ["min", 0x5d],
      ["div", 0x5e],
      ["max", 0x5f],
    ] as const) {
      it(`${name}${suffix}`, () => {
        sameAsHelper([...prefix, 0x0f, opcode, 0xc1], `sse.${name}${suffix}`, precision, size, 0, straight);
      });
    }
    it(`sqrt${suffix}`, () => {
      sameAsHelper([...prefix, 0x0f, 0x51, 0xc1], `sse.sqrt${suffix}`, precision, size, 0, sourceOnly);
    });
    it(`cmp${suffix}, with each predicate`, () => {
      for (let predicate = 0; predicate < 8; predicate++) {
        const code = [...prefix, 0x0f, 0xc2, 0xc1, predicate];
        const modes = [0x1f80, 0x1fe0, 0x0000];
        sameAsHelper(code, `sse.cmp${suffix}`, precision, size, predicate, straight, modes);
      }
    });
  }

  for (const [opcode, suffix, precision, size] of [
    [0x0a, "ss", "s", 4],
    [0x0b, "sd", "d", 8],
    [0x08, "ps", "s", 16],
    [0x09, "pd", "d", 16],
  ] as const) {
    it(`round${suffix}, in each mode`, () => {
      for (const immediate of [0, 1, 2, 3, 4, 8, 9, 11, 12]) {
        const code = [0x66, 0x0f, 0x3a, opcode, 0xc1, immediate];
        sameAsHelper(code, `sse.round${suffix}`, precision, size, immediate, sourceOnly);
      }
    });
  }

  for (const [suffix, prefix, precision, laneBytes] of [
    ["ps", 0xf2, "s", 4],
    ["pd", 0x66, "d", 8],
  ] as const) {
    for (const [name, opcode, arrange] of [
      ["hadd", 0x7c, lanesApart(laneBytes)],
      ["hsub", 0x7d, lanesApart(laneBytes)],
      ["addsub", 0xd0, straight],
    ] as const) {
      it(`${name}${suffix}`, () => {
        sameAsHelper([prefix, 0x0f, opcode, 0xc1], `sse.${name}${suffix}`, precision, 16, 0, arrange);
      });
    }
    it(`dp${suffix}, with several selections`, () => {
      for (const immediate of [0xff, 0x71, 0x3f]) {
        const code = [0x66, 0x0f, 0x3a, suffix === "ps" ? 0x40 : 0x41, 0xc1, immediate];
        sameAsHelper(code, `sse.dp${suffix}`, precision, 16, immediate, straight);
      }
    });
  }

  for (const [name, code, precision, size] of [
    ["cvtss2sd", [0xf3, 0x0f, 0x5a, 0xc1], "s", 8],
    ["cvtsd2ss", [0xf2, 0x0f, 0x5a, 0xc1], "d", 4],
    ["cvtps2pd", [0x0f, 0x5a, 0xc1], "s", 16],
    ["cvtpd2ps", [0x66, 0x0f, 0x5a, 0xc1], "d", 16],
    ["cvtdq2ps", [0x0f, 0x5b, 0xc1], "s", 16],
    ["cvtps2dq", [0x66, 0x0f, 0x5b, 0xc1], "s", 16],
    ["cvttps2dq", [0xf3, 0x0f, 0x5b, 0xc1], "s", 16],
    ["cvtpd2dq", [0xf2, 0x0f, 0xe6, 0xc1], "d", 16],
    ["cvttpd2dq", [0x66, 0x0f, 0xe6, 0xc1], "d", 16],
  ] as const) {
    it(name, () => sameAsHelper(code, `sse.${name}`, precision, size, 0, sourceOnly));
  }

  /** To a general register: what is in RAX goes to XMM0 for the comparison. */
  for (const [name, prefix, precision] of [
    ["ss2si", 0xf3, "s"],
    ["sd2si", 0xf2, "d"],
  ] as const) {
    for (const [kind, opcode] of [
      ["cvt", 0x2d],
      ["cvtt", 0x2c],
    ] as const) {
      it(`${kind}${name}, 32 and 64 bits`, () => {
        const toXmm = [0x66, 0x48, 0x0f, 0x6e, 0xc0]; // movq xmm0, rax
        machine.cpu.setGpr(Register.RAX, 0);
        sameAsHelper(
          [prefix, 0x0f, opcode, 0xc1, ...toXmm],
          `sse.${kind}${name}.32`,
          precision,
          8,
          0,
          sourceOnly,
        );
        const wide = [prefix, 0x48, 0x0f, opcode, 0xc1, ...toXmm];
        sameAsHelper(wide, `sse.${kind}${name}.64`, precision, 8, 0, sourceOnly);
      });
    }
  }

  it("does not overlook an unmasked exception", () => {
    const third = Uint8Array.from(Buffer.from("555555555555d53f".repeat(2), "hex"));
    expect(byInstruction([0xf2, 0x0f, 0x59, 0xc1], third, third, 0x0fa0, 8).vector).toBe(Vector.XM);
  });
});
