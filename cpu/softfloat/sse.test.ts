import { describe, expect, it } from "vitest";
import { Exception, SseControl } from "./control.ts";
import * as sse from "./sse.ts";
import * as convert from "./sse-convert.ts";
import { dppd, dpps } from "./sse-dot-product.ts";
import {
  HostFpu,
  type HostInput,
  type HostOperation,
  hostFpuUnavailable,
  hostHas,
  hostIsIntel,
} from "./testing/host-fpu.ts";
import { Chance } from "./testing/operands.ts";

const unavailable = hostFpuUnavailable();
if (unavailable !== null) {
  if (process.env.CI === "true") throw new Error(`the FPU oracle is needed in CI: ${unavailable}`);
  console.warn(`SSE is not compared with the host: ${unavailable}`);
}

/** An instruction, how to run our function on the same registers, and which bits of the result count. */
interface Case {
  readonly name: string;
  readonly code: string;
  /** Operands' format: decides what random operands look like. */
  readonly operands: "binary32" | "binary64" | "integer";
  readonly resultIn: "xmm0" | "rax" | "rflags";
  readonly resultBits: number;
  readonly ours: (input: Required<HostInput>, control: SseControl) => bigint;
}

const low32 = (value: bigint) => Number(BigInt.asUintN(32, value));
const low64 = (value: bigint) => BigInt.asUintN(64, value);
const lanes32 = (value: bigint) => [0n, 32n, 64n, 96n].map((shift) => low32(value >> shift));
const lanes64 = (value: bigint) => [low64(value), low64(value >> 64n)];
const join32 = (lanes: readonly number[]) =>
  lanes.reduceRight((all, lane) => (all << 32n) | BigInt(lane), 0n);
const join64 = (lanes: readonly bigint[]) => (lanes[1] << 64n) | lanes[0];

type Single = (a: number, b: number, control: SseControl) => number;
type Double = (a: bigint, b: bigint, control: SseControl) => bigint;

function binarySingle(name: string, ours: Single): Case[] {
  return [
    {
      name: `${name}ss`,
      code: `${name}ss %%xmm1, %%xmm0`,
      operands: "binary32",
      resultIn: "xmm0",
      resultBits: 32,
      ours: ({ a, b }, control) => BigInt(ours(low32(a), low32(b), control)),
    },
    {
      name: `${name}ps`,
      code: `${name}ps %%xmm1, %%xmm0`,
      operands: "binary32",
      resultIn: "xmm0",
      resultBits: 128,
      ours: ({ a, b }, control) => {
        const second = lanes32(b);
        return join32(lanes32(a).map((lane, index) => ours(lane, second[index], control)));
      },
    },
  ];
}

function binaryDouble(name: string, ours: Double): Case {
  return {
    name,
    code: `${name} %%xmm1, %%xmm0`,
    operands: "binary64",
    resultIn: "xmm0",
    resultBits: 64,
    ours: ({ a, b }, control) => ours(low64(a), low64(b), control),
  };
}

function unary(
  code: string,
  operands: Case["operands"],
  resultIn: Case["resultIn"],
  resultBits: number,
  ours: Case["ours"],
): Case {
  return { name: code.replaceAll("%", ""), code, operands, resultIn, resultBits, ours };
}

const arithmetic: Case[] = [
  ...binarySingle("add", sse.addss),
  ...binarySingle("sub", sse.subss),
  ...binarySingle("mul", sse.mulss),
  ...binarySingle("div", sse.divss),
  ...binarySingle("min", sse.minss),
  ...binarySingle("max", sse.maxss),
  binaryDouble("addsd", sse.addsd),
  binaryDouble("subsd", sse.subsd),
  binaryDouble("mulsd", sse.mulsd),
  binaryDouble("divsd", sse.divsd),
  binaryDouble("minsd", sse.minsd),
  binaryDouble("maxsd", sse.maxsd),
  unary("sqrtss %%xmm1, %%xmm0", "binary32", "xmm0", 32, ({ b }, control) =>
    BigInt(sse.sqrtss(low32(b), control)),
  ),
  unary("sqrtsd %%xmm1, %%xmm0", "binary64", "xmm0", 64, ({ b }, control) => sse.sqrtsd(low64(b), control)),
];

const comparisons: Case[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((predicate): Case[] => [
    unary(`cmpss $${predicate}, %%xmm1, %%xmm0`, "binary32", "xmm0", 32, ({ a, b }, control) =>
      BigInt(sse.cmpss(low32(a), low32(b), predicate, control)),
    ),
    unary(`cmpsd $${predicate}, %%xmm1, %%xmm0`, "binary64", "xmm0", 64, ({ a, b }, control) =>
      sse.cmpsd(low64(a), low64(b), predicate, control),
    ),
  ]),
  unary("comiss %%xmm1, %%xmm0", "binary32", "rflags", 16, ({ a, b }, control) =>
    BigInt(sse.comiss(low32(a), low32(b), control)),
  ),
  unary("comisd %%xmm1, %%xmm0", "binary64", "rflags", 16, ({ a, b }, control) =>
    BigInt(sse.comisd(low64(a), low64(b), control)),
  ),
  unary("ucomiss %%xmm1, %%xmm0", "binary32", "rflags", 16, ({ a, b }, control) =>
    BigInt(sse.ucomiss(low32(a), low32(b), control)),
  ),
  unary("ucomisd %%xmm1, %%xmm0", "binary64", "rflags", 16, ({ a, b }, control) =>
    BigInt(sse.ucomisd(low64(a), low64(b), control)),
  ),
];

const vexComparisons: Case[] = Array.from({ length: 24 }, (_, n) => n + 8).map((predicate) =>
  unary(`vcmpsd $${predicate}, %%xmm1, %%xmm0, %%xmm0`, "binary64", "xmm0", 64, ({ a, b }, control) =>
    sse.cmpsd(low64(a), low64(b), predicate, control),
  ),
);

const conversions: Case[] = [
  unary("cvtss2sd %%xmm1, %%xmm0", "binary32", "xmm0", 64, ({ b }, control) =>
    convert.cvtss2sd(low32(b), control),
  ),
  unary("cvtsd2ss %%xmm1, %%xmm0", "binary64", "xmm0", 32, ({ b }, control) =>
    BigInt(convert.cvtsd2ss(low64(b), control)),
  ),
  unary("cvtsi2ssl %%eax, %%xmm0", "integer", "xmm0", 32, ({ rax }, control) =>
    BigInt(convert.cvtsi2ss(low32(rax) | 0, control)),
  ),
  unary("cvtsi2sdl %%eax, %%xmm0", "integer", "xmm0", 64, ({ rax }, control) =>
    convert.cvtsi2sd(low32(rax) | 0, control),
  ),
  unary("cvtsi2ssq %%rax, %%xmm0", "integer", "xmm0", 32, ({ rax }, control) =>
    BigInt(convert.cvtsi2ss(BigInt.asIntN(64, rax), control)),
  ),
  unary("cvtsi2sdq %%rax, %%xmm0", "integer", "xmm0", 64, ({ rax }, control) =>
    convert.cvtsi2sd(BigInt.asIntN(64, rax), control),
  ),
  unary("cvtss2si %%xmm1, %%eax", "binary32", "rax", 32, ({ b }, control) =>
    BigInt(convert.cvtss2si32(low32(b), control)),
  ),
  unary("cvtss2si %%xmm1, %%rax", "binary32", "rax", 64, ({ b }, control) =>
    convert.cvtss2si64(low32(b), control),
  ),
  unary("cvtsd2si %%xmm1, %%eax", "binary64", "rax", 32, ({ b }, control) =>
    BigInt(convert.cvtsd2si32(low64(b), control)),
  ),
  unary("cvtsd2si %%xmm1, %%rax", "binary64", "rax", 64, ({ b }, control) =>
    convert.cvtsd2si64(low64(b), control),
  ),
  unary("cvttss2si %%xmm1, %%eax", "binary32", "rax", 32, ({ b }, control) =>
    BigInt(convert.cvttss2si32(low32(b), control)),
  ),
  unary("cvttss2si %%xmm1, %%rax", "binary32", "rax", 64, ({ b }, control) =>
    convert.cvttss2si64(low32(b), control),
  ),
  unary("cvttsd2si %%xmm1, %%eax", "binary64", "rax", 32, ({ b }, control) =>
    BigInt(convert.cvttsd2si32(low64(b), control)),
  ),
  unary("cvttsd2si %%xmm1, %%rax", "binary64", "rax", 64, ({ b }, control) =>
    convert.cvttsd2si64(low64(b), control),
  ),
];

const roundings: Case[] = [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 7].flatMap((immediate): Case[] => [
  unary(`roundss $${immediate}, %%xmm1, %%xmm0`, "binary32", "xmm0", 32, ({ b }, control) =>
    BigInt(convert.roundss(low32(b), immediate, control)),
  ),
  unary(`roundsd $${immediate}, %%xmm1, %%xmm0`, "binary64", "xmm0", 64, ({ b }, control) =>
    convert.roundsd(low64(b), immediate, control),
  ),
]);

const dotProducts: Case[] = [
  ...[0xff, 0xf1, 0x7f, 0x31, 0xe8, 0x55, 0x0f, 0x80].map((immediate) =>
    unary(`dpps $${immediate}, %%xmm1, %%xmm0`, "binary32", "xmm0", 128, ({ a, b }, control) =>
      join32(dpps([[lanes32(a), lanes32(b)]], immediate, control)[0]),
    ),
  ),
  ...[0x33, 0x11, 0x21, 0x32, 0x03].map((immediate) =>
    unary(`dppd $${immediate}, %%xmm1, %%xmm0`, "binary64", "xmm0", 128, ({ a, b }, control) =>
      join64(dppd(lanes64(a), lanes64(b), immediate, control)),
    ),
  ),
];

/** Operand order of each form as {@link sse.fmass} wants it: a × b + c. */
const fmaForms = { 132: ["a", "c", "b"], 213: ["b", "a", "c"], 231: ["b", "c", "a"] } as const;
const fmaFamilies = {
  vfmadd: { negateProduct: false, negateAddend: false },
  vfmsub: { negateProduct: false, negateAddend: true },
  vfnmadd: { negateProduct: true, negateAddend: false },
  vfnmsub: { negateProduct: true, negateAddend: true },
};
const fusedMultiplyAdds: Case[] = Object.entries(fmaFamilies).flatMap(([family, signs]) =>
  Object.entries(fmaForms).flatMap(([form, [x, y, z]]): Case[] => [
    unary(`${family}${form}ss %%xmm2, %%xmm1, %%xmm0`, "binary32", "xmm0", 32, (input, control) =>
      BigInt(sse.fmass(low32(input[x]), low32(input[y]), low32(input[z]), signs, control)),
    ),
    unary(`${family}${form}sd %%xmm2, %%xmm1, %%xmm0`, "binary64", "xmm0", 64, (input, control) =>
      sse.fmasd(low64(input[x]), low64(input[y]), low64(input[z]), signs, control),
    ),
  ]),
);

const halves: Case[] = [
  unary("vcvtph2ps %%xmm1, %%xmm0", "integer", "xmm0", 128, ({ b }, control) =>
    join32(
      [0n, 16n, 32n, 48n].map((shift) => convert.cvtph2ps(Number(BigInt.asUintN(16, b >> shift)), control)),
    ),
  ),
  ...[0, 1, 2, 3, 4].map((immediate) =>
    unary(`vcvtps2ph $${immediate}, %%xmm1, %%xmm0`, "binary32", "xmm0", 64, ({ b }, control) =>
      lanes32(b).reduceRight(
        (all, lane) => (all << 16n) | BigInt(convert.cvtps2ph(lane, immediate, control)),
        0n,
      ),
    ),
  ),
];

function randomOperand(chance: Chance, operands: Case["operands"]): bigint {
  const around = chance.below(2) === 0 ? 0 : 30;
  switch (operands) {
    case "binary32":
      return join32([0, 0, 0, 0].map(() => chance.binary32(127 + around)));
    case "binary64":
      return join64([0, 0].map(() => chance.binary64(1023 + around)));
    case "integer":
      return (chance.bits(64) << 64n) | chance.bits(64);
  }
}

function randomMxcsr(chance: Chance, unmask: boolean): number {
  const modes = chance.below(4) === 0 ? [0x0000, 0x8040, 0x0040, 0x8000] : [0];
  const masks = unmask ? chance.below(64) << 7 : 0x1f80;
  return masks | (chance.below(4) << 13) | chance.pick(modes);
}

/** Runs every case `count` times on both and returns the disagreements as sentences. */
function disagreements(cases: readonly Case[], count: number, seed: number, unmask: boolean): string[] {
  const operations = cases.map(({ code }): HostOperation => ({ unit: "sse", code }));
  const chance = new Chance(seed);
  const inputs: Required<HostInput>[] = [];
  for (const [operation, { operands }] of cases.entries()) {
    for (let n = 0; n < count; n++) {
      const rax = chance.integer(64);
      inputs.push({
        operation,
        control: randomMxcsr(chance, unmask),
        a: randomOperand(chance, operands),
        b: randomOperand(chance, operands),
        c: randomOperand(chance, operands),
        rax: BigInt.asUintN(64, rax),
      });
    }
  }
  const outputs = new HostFpu(operations).run(inputs);
  const differences: string[] = [];
  const control = new SseControl();
  for (const [index, input] of inputs.entries()) {
    const test = cases[input.operation];
    const host = outputs[index];
    const result = BigInt.asUintN(test.resultBits, test.ours(input, control.load(input.control)));
    const hostRegister = { xmm0: host.a, rax: host.rax, rflags: BigInt(host.rflags & 0x8d5) }[test.resultIn];
    const expected = BigInt.asUintN(test.resultBits, hostRegister);
    const trapped = control.unmasked !== 0;
    const same =
      control.raised === (host.status & 0x3f) && trapped === host.trapped && (trapped || result === expected);
    if (same) continue;
    const operands = [input.a, input.b, input.c, input.rax].map((value) => value.toString(16)).join(" ");
    differences.push(
      `${test.name} of ${operands}, mxcsr ${input.control.toString(16)}: ` +
        `${result.toString(16)} flags ${control.raised.toString(16)}, ` +
        `the host: ${expected.toString(16)} flags ${(host.status & 0x3f).toString(16)}${host.trapped ? " #XM" : ""}`,
    );
  }
  return differences;
}

describe.skipIf(unavailable !== null)("SSE arithmetic, against the host processor", () => {
  const groups = { arithmetic, comparisons, conversions, roundings, dotProducts };
  for (const [name, cases] of Object.entries(groups)) {
    // Which of several NaNs a lane of DPPS receives is Intel's own choice.
    if (name === "dotProducts" && !hostIsIntel()) continue;
    it(`${name}: same bits and same flags in every rounding mode, with DAZ and FTZ`, () => {
      expect(disagreements(cases, Math.ceil(20_000 / cases.length), 1, false).slice(0, 20)).toEqual([]);
    });
    it(`${name}: same flags, and #XM in the same cases, when exceptions are unmasked`, () => {
      expect(disagreements(cases, Math.ceil(8_000 / cases.length), 2, true).slice(0, 20)).toEqual([]);
    });
  }
  it.skipIf(!hostHas("fma"))("fused multiply-add: same bits, flags and choice of NaN in all forms", () => {
    expect(disagreements(fusedMultiplyAdds, 600, 3, false).slice(0, 20)).toEqual([]);
    expect(disagreements(fusedMultiplyAdds, 300, 4, true).slice(0, 20)).toEqual([]);
  });
  it.skipIf(!hostHas("avx"))("the 24 comparison predicates that only VEX forms have", () => {
    expect(disagreements(vexComparisons, 500, 5, false).slice(0, 20)).toEqual([]);
  });
  it.skipIf(!hostHas("f16c"))("half precision to and from single", () => {
    expect(disagreements(halves, 2000, 6, false).slice(0, 20)).toEqual([]);
    expect(disagreements(halves, 1000, 7, true).slice(0, 20)).toEqual([]);
  });
});

describe("SseControl", () => {
  it("drops what would have been found after the computation when an unmasked exception prevents it", () => {
    const control = new SseControl(0x1f80 & ~0x100);
    sse.mulss(0x0000_0001, 0x3f80_0001, control);
    expect(control.flags & (Exception.UE | Exception.PE)).not.toBe(0);
    expect(control.raised).toBe(Exception.DE);
    expect(control.unmasked).toBe(Exception.DE);
  });
});
