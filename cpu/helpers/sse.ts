/**
 * The exact path of SSE floating point: any rounding mode, DAZ, FTZ, unmasked exceptions, NaNs and denormals. Definitions
 * come here when the fast path does not apply (cpu/definitions/sse/float.ts).
 *
 * Argument 0 is the first source and receives the result, argument 1 the second source, argument 2 an immediate. Results
 * are written to the slots only: an unmasked exception keeps the definition from taking them.
 */

import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { SseControl } from "../softfloat/control.ts";
import * as Sse from "../softfloat/sse.ts";
import * as Convert from "../softfloat/sse-convert.ts";
import { dppd, dpps } from "../softfloat/sse-dot-product.ts";
import { rcpss, rsqrtss } from "../softfloat/sse-reciprocal.ts";
import { MXCSR, Vector, X87_TAGS, X87_TOP } from "../state.ts";
import { ArgumentLanes, DWORDS, QUADWORDS } from "./argument-lanes.ts";

const control = new SseControl();
const lanes = new ArgumentLanes();

/** Begins a computation under MXCSR. */
function begin(cpu: Cpu): ArgumentLanes {
  control.load(cpu.getI32(MXCSR));
  return lanes.attach(cpu);
}

/** Makes the flags sticky. @throws GuestException #XM for unmasked exceptions */
function finish(cpu: Cpu): void {
  cpu.setI32(MXCSR, cpu.getI32(MXCSR) | control.raised);
  if (control.unmasked !== 0) throw new GuestException(Vector.XM);
}

type Single = (a: number, b: number, control: SseControl, immediate: number) => number;
type Double = (a: bigint, b: bigint, control: SseControl, immediate: number) => bigint;

/** Helpers `sse.NAMEss`, `sse.NAMEps`, `sse.NAMEsd`, `sse.NAMEpd`. */
function defineLanes(name: string, single: Single, double: Double): void {
  for (const [suffix, count] of [
    ["ss", 1],
    ["ps", DWORDS],
  ] as const) {
    defineHelper(`sse.${name}${suffix}`, (cpu) => {
      const { u32, i32 } = begin(cpu);
      const immediate = i32[2 * DWORDS];
      for (let lane = 0; lane < count; lane++)
        u32[lane] = single(u32[lane], u32[DWORDS + lane], control, immediate);
      finish(cpu);
    });
  }
  for (const [suffix, count] of [
    ["sd", 1],
    ["pd", QUADWORDS],
  ] as const) {
    defineHelper(`sse.${name}${suffix}`, (cpu) => {
      const { u64, i32 } = begin(cpu);
      const immediate = i32[2 * DWORDS];
      for (let lane = 0; lane < count; lane++)
        u64[lane] = double(u64[lane], u64[QUADWORDS + lane], control, immediate);
      finish(cpu);
    });
  }
}
defineLanes("add", Sse.addss, Sse.addsd);
defineLanes("sub", Sse.subss, Sse.subsd);
defineLanes("mul", Sse.mulss, Sse.mulsd);
defineLanes("div", Sse.divss, Sse.divsd);
defineLanes("min", Sse.minss, Sse.minsd);
defineLanes("max", Sse.maxss, Sse.maxsd);
defineLanes(
  "sqrt",
  (_a, b, c) => Sse.sqrtss(b, c),
  (_a, b, c) => Sse.sqrtsd(b, c),
);
defineLanes(
  "cmp",
  (a, b, c, predicate) => Sse.cmpss(a, b, predicate & 7, c),
  (a, b, c, predicate) => Sse.cmpsd(a, b, predicate & 7, c),
);
defineLanes(
  "round",
  (_a, b, c, immediate) => Convert.roundss(b, immediate, c),
  (_a, b, c, immediate) => Convert.roundsd(b, immediate, c),
);
// The definitions have brought the lanes that belong together face to face.
defineLanes("hadd", Sse.addss, Sse.addsd);
defineLanes("hsub", Sse.subss, Sse.subsd);

/** ADDSUBPS, ADDSUBPD: subtracts in the even lanes. */
defineHelper("sse.addsubps", (cpu) => {
  const { u32 } = begin(cpu);
  for (let lane = 0; lane < DWORDS; lane++) {
    const operation = (lane & 1) === 0 ? Sse.subss : Sse.addss;
    u32[lane] = operation(u32[lane], u32[DWORDS + lane], control);
  }
  finish(cpu);
});
defineHelper("sse.addsubpd", (cpu) => {
  const { u64 } = begin(cpu);
  u64[0] = Sse.subsd(u64[0], u64[QUADWORDS], control);
  u64[1] = Sse.addsd(u64[1], u64[QUADWORDS + 1], control);
  finish(cpu);
});

defineHelper("sse.dpps", (cpu) => {
  const { u32 } = begin(cpu);
  const [x, y] = [[...u32.subarray(0, DWORDS)], [...u32.subarray(DWORDS, 2 * DWORDS)]];
  u32.set(dpps(x, y, cpu.argumentI32(2), control));
  finish(cpu);
});
defineHelper("sse.dppd", (cpu) => {
  const { u64 } = begin(cpu);
  u64.set(dppd([u64[0], u64[1]], [u64[2], u64[3]], cpu.argumentI32(2), control));
  finish(cpu);
});

/** Ordered (COMI) and unordered comparisons: RFLAGS bits come back in result 0. */
for (const [name, single, double] of [
  ["comis", Sse.comiss, Sse.comisd],
  ["ucomis", Sse.ucomiss, Sse.ucomisd],
] as const) {
  defineHelper(`sse.${name}s`, (cpu) => {
    const { u32, i32 } = begin(cpu);
    i32[0] = single(u32[0], u32[DWORDS], control);
    finish(cpu);
  });
  defineHelper(`sse.${name}d`, (cpu) => {
    const { u64, i32 } = begin(cpu);
    i32[0] = double(u64[0], u64[QUADWORDS], control);
    finish(cpu);
  });
}

/** Approximations: they heed no mode and report nothing. Argument 0 is the source. */
for (const [name, approximate] of [
  ["rcp", rcpss],
  ["rsqrt", rsqrtss],
] as const) {
  for (const [suffix, count] of [
    ["ss", 1],
    ["ps", DWORDS],
  ] as const) {
    defineHelper(`sse.${name}${suffix}`, (cpu) => {
      const { u32 } = lanes.attach(cpu);
      for (let lane = 0; lane < count; lane++) u32[lane] = approximate(u32[lane]);
    });
  }
}

// ---- conversions: argument 0 is the source, result 0 the destination ----

type Conversion = (lanes: ArgumentLanes) => void;

function defineConversion(name: string, convert: Conversion): void {
  defineHelper(`sse.${name}`, (cpu) => {
    convert(begin(cpu));
    finish(cpu);
  });
}

/**
 * The same with an MMX operand on one side; argument 1 tells if it is a register. Then the x87 stack is in MMX state even
 * if the conversion ends in #XM.
 */
function defineMmxConversion(name: string, convert: Conversion): void {
  defineHelper(`sse.${name}`, (cpu) => {
    const slots = begin(cpu);
    if (slots.i32[DWORDS] !== 0) {
      cpu.setI32(X87_TOP, 0);
      cpu.setI32(X87_TAGS, 0xff);
    }
    convert(slots);
    finish(cpu);
  });
}

defineConversion("cvtss2sd", ({ u32, u64 }) => {
  u64[0] = Convert.cvtss2sd(u32[0], control);
});
defineConversion("cvtsd2ss", ({ u32, u64 }) => {
  u32[0] = Convert.cvtsd2ss(u64[0], control);
});
defineConversion("cvtps2pd", ({ u32, u64 }) => {
  const high = u32[1];
  u64[0] = Convert.cvtss2sd(u32[0], control);
  u64[1] = Convert.cvtss2sd(high, control);
});
defineConversion("cvtpd2ps", ({ u32, u64 }) => {
  u32[0] = Convert.cvtsd2ss(u64[0], control);
  u32[1] = Convert.cvtsd2ss(u64[1], control);
  u64[1] = 0n;
});
defineConversion("cvtsi2ss.32", ({ u32, i32 }) => {
  u32[0] = Convert.cvtsi2ss(i32[0], control);
});
defineConversion("cvtsi2ss.64", ({ u32, i64 }) => {
  u32[0] = Convert.cvtsi2ss(i64[0], control);
});
defineConversion("cvtsi2sd.64", ({ u64, i64 }) => {
  u64[0] = Convert.cvtsi2sd(i64[0], control);
});
/** The first `count` dwords, as signed integers. */
const fromIntegers =
  (count: number): Conversion =>
  ({ u32, i32 }) => {
    for (let lane = 0; lane < count; lane++) u32[lane] = Convert.cvtsi2ss(i32[lane], control);
  };
defineMmxConversion("cvtpi2ps", fromIntegers(2));
defineConversion("cvtdq2ps", fromIntegers(DWORDS));

for (const [name, single32, single64, double32, double64] of [
  ["cvt", Convert.cvtss2si32, Convert.cvtss2si64, Convert.cvtsd2si32, Convert.cvtsd2si64],
  ["cvtt", Convert.cvttss2si32, Convert.cvttss2si64, Convert.cvttsd2si32, Convert.cvttsd2si64],
] as const) {
  defineConversion(`${name}ss2si.32`, ({ u32, u64 }) => {
    u64[0] = BigInt(single32(u32[0], control));
  });
  defineConversion(`${name}ss2si.64`, ({ u32, u64 }) => {
    u64[0] = single64(u32[0], control);
  });
  defineConversion(`${name}sd2si.32`, ({ u64 }) => {
    u64[0] = BigInt(double32(u64[0], control));
  });
  defineConversion(`${name}sd2si.64`, ({ u64 }) => {
    u64[0] = double64(u64[0], control);
  });
  const fromSingles =
    (count: number): Conversion =>
    ({ u32 }) => {
      for (let lane = 0; lane < count; lane++) u32[lane] = single32(u32[lane], control);
    };
  const fromDoubles: Conversion = ({ u32, u64 }) => {
    u32[0] = double32(u64[0], control);
    u32[1] = double32(u64[1], control);
    u64[1] = 0n;
  };
  defineMmxConversion(`${name}ps2pi`, fromSingles(2));
  defineConversion(`${name}ps2dq`, fromSingles(DWORDS));
  defineMmxConversion(`${name}pd2pi`, fromDoubles);
  defineConversion(`${name}pd2dq`, fromDoubles);
}
