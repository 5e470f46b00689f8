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
import { HALF_SLOTS, MXCSR, Vector, X87_TAGS, X87_TOP } from "../state.ts";
import { ArgumentLanes, DWORDS, QUADWORDS } from "./argument-lanes.ts";

const control = new SseControl();
const lanes = new ArgumentLanes();
/** Those of the upper half of 256-bit operations. */
const upperLanes = new ArgumentLanes(HALF_SLOTS);

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

type Computation = (lanes: ArgumentLanes) => void;

/** What computes one vector: `sse.NAME`, and `sse.NAME.256` for two of them in one instruction. */
function definePacked(name: string, compute: Computation): void {
  defineComputation(name, compute);
  defineHelper(`sse.${name}.256`, (cpu) => {
    compute(begin(cpu));
    compute(upperLanes.attach(cpu));
    finish(cpu);
  });
}

function defineComputation(name: string, compute: Computation): void {
  defineHelper(`sse.${name}`, (cpu) => {
    compute(begin(cpu));
    finish(cpu);
  });
}

type Single = (a: number, b: number, control: SseControl, immediate: number) => number;
type Double = (a: bigint, b: bigint, control: SseControl, immediate: number) => bigint;

/** Helpers `sse.NAMEss`, `sse.NAMEps`, `sse.NAMEsd`, `sse.NAMEpd`. */
function defineLanes(name: string, single: Single, double: Double): void {
  const singles =
    (count: number): Computation =>
    ({ u32, i32 }) => {
      const immediate = i32[2 * DWORDS];
      for (let lane = 0; lane < count; lane++)
        u32[lane] = single(u32[lane], u32[DWORDS + lane], control, immediate);
    };
  const doubles =
    (count: number): Computation =>
    ({ u64, i32 }) => {
      const immediate = i32[2 * DWORDS];
      for (let lane = 0; lane < count; lane++)
        u64[lane] = double(u64[lane], u64[QUADWORDS + lane], control, immediate);
    };
  defineComputation(`${name}ss`, singles(1));
  defineComputation(`${name}sd`, doubles(1));
  definePacked(`${name}ps`, singles(DWORDS));
  definePacked(`${name}pd`, doubles(QUADWORDS));
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
  (a, b, c, predicate) => Sse.cmpss(a, b, predicate, c),
  (a, b, c, predicate) => Sse.cmpsd(a, b, predicate, c),
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
definePacked("addsubps", ({ u32 }) => {
  for (let lane = 0; lane < DWORDS; lane++) {
    const operation = (lane & 1) === 0 ? Sse.subss : Sse.addss;
    u32[lane] = operation(u32[lane], u32[DWORDS + lane], control);
  }
});
definePacked("addsubpd", ({ u64 }) => {
  u64[0] = Sse.subsd(u64[0], u64[QUADWORDS], control);
  u64[1] = Sse.addsd(u64[1], u64[QUADWORDS + 1], control);
});

/** The vectors of slots 0 and 1. */
function singlePair({ u32 }: ArgumentLanes): [number[], number[]] {
  return [[...u32.subarray(0, DWORDS)], [...u32.subarray(DWORDS, 2 * DWORDS)]];
}
defineComputation("dpps", (slots) => {
  slots.u32.set(dpps([singlePair(slots)], slots.i32[2 * DWORDS], control)[0]);
});
defineHelper("sse.dpps.256", (cpu) => {
  const [low, high] = [begin(cpu), upperLanes.attach(cpu)];
  const [lower, upper] = dpps([singlePair(low), singlePair(high)], low.i32[2 * DWORDS], control);
  low.u32.set(lower);
  high.u32.set(upper);
  finish(cpu);
});
defineComputation("dppd", ({ u64, i32 }) => {
  u64.set(dppd([u64[0], u64[1]], [u64[2], u64[3]], i32[2 * DWORDS], control));
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

/**
 * The same with an MMX operand on one side; argument 1 tells if it is a register. Then the x87 stack is in MMX state even
 * if the conversion ends in #XM.
 */
function defineMmxConversion(name: string, convert: Computation): void {
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

defineComputation("cvtss2sd", ({ u32, u64 }) => {
  u64[0] = Convert.cvtss2sd(u32[0], control);
});
defineComputation("cvtsd2ss", ({ u32, u64 }) => {
  u32[0] = Convert.cvtsd2ss(u64[0], control);
});
definePacked("cvtps2pd", ({ u32, u64 }) => {
  const high = u32[1];
  u64[0] = Convert.cvtss2sd(u32[0], control);
  u64[1] = Convert.cvtss2sd(high, control);
});
definePacked("cvtpd2ps", ({ u32, u64 }) => {
  u32[0] = Convert.cvtsd2ss(u64[0], control);
  u32[1] = Convert.cvtsd2ss(u64[1], control);
  u64[1] = 0n;
});
defineComputation("cvtsi2ss.32", ({ u32, i32 }) => {
  u32[0] = Convert.cvtsi2ss(i32[0], control);
});
defineComputation("cvtsi2ss.64", ({ u32, i64 }) => {
  u32[0] = Convert.cvtsi2ss(i64[0], control);
});
defineComputation("cvtsi2sd.64", ({ u64, i64 }) => {
  u64[0] = Convert.cvtsi2sd(i64[0], control);
});
/** The first `count` dwords, as signed integers. */
const fromIntegers =
  (count: number): Computation =>
  ({ u32, i32 }) => {
    for (let lane = 0; lane < count; lane++) u32[lane] = Convert.cvtsi2ss(i32[lane], control);
  };
defineMmxConversion("cvtpi2ps", fromIntegers(2));
definePacked("cvtdq2ps", fromIntegers(DWORDS));

for (const [name, single32, single64, double32, double64] of [
  ["cvt", Convert.cvtss2si32, Convert.cvtss2si64, Convert.cvtsd2si32, Convert.cvtsd2si64],
  ["cvtt", Convert.cvttss2si32, Convert.cvttss2si64, Convert.cvttsd2si32, Convert.cvttsd2si64],
] as const) {
  defineComputation(`${name}ss2si.32`, ({ u32, u64 }) => {
    u64[0] = BigInt(single32(u32[0], control));
  });
  defineComputation(`${name}ss2si.64`, ({ u32, u64 }) => {
    u64[0] = single64(u32[0], control);
  });
  defineComputation(`${name}sd2si.32`, ({ u64 }) => {
    u64[0] = BigInt(double32(u64[0], control));
  });
  defineComputation(`${name}sd2si.64`, ({ u64 }) => {
    u64[0] = double64(u64[0], control);
  });
  const fromSingles =
    (count: number): Computation =>
    ({ u32 }) => {
      for (let lane = 0; lane < count; lane++) u32[lane] = single32(u32[lane], control);
    };
  const fromDoubles: Computation = ({ u32, u64 }) => {
    u32[0] = double32(u64[0], control);
    u32[1] = double32(u64[1], control);
    u64[1] = 0n;
  };
  defineMmxConversion(`${name}ps2pi`, fromSingles(2));
  definePacked(`${name}ps2dq`, fromSingles(DWORDS));
  defineMmxConversion(`${name}pd2pi`, fromDoubles);
  definePacked(`${name}pd2dq`, fromDoubles);
}

// ---- half precision: four lanes in the low quadword ----

definePacked("cvtph2ps", ({ u16, u32 }) => {
  for (let lane = DWORDS - 1; lane >= 0; lane--) u32[lane] = Convert.cvtph2ps(u16[lane], control);
});
definePacked("cvtps2ph", ({ u16, u32, i32 }) => {
  for (let lane = 0; lane < DWORDS; lane++) u16[lane] = Convert.cvtps2ph(u32[lane], i32[2 * DWORDS], control);
});

// ---- fused multiply-add: argument 3 has the signs of product (bit 0) and addend (bit 1) for even, then for odd lanes ----

/** By the two bits of a lane. */
const SIGNS = [0, 1, 2, 3].map((bits) => ({
  negateProduct: (bits & 1) !== 0,
  negateAddend: (bits & 2) !== 0,
}));

const fusedSingles =
  (count: number): Computation =>
  ({ u32, i32 }) => {
    const signs = i32[3 * DWORDS];
    for (let lane = 0; lane < count; lane++) {
      const [a, b, c] = [u32[lane], u32[DWORDS + lane], u32[2 * DWORDS + lane]];
      u32[lane] = Sse.fmass(a, b, c, SIGNS[(signs >> (2 * (lane & 1))) & 3], control);
    }
  };
const fusedDoubles =
  (count: number): Computation =>
  ({ u64, i32 }) => {
    const signs = i32[3 * DWORDS];
    for (let lane = 0; lane < count; lane++) {
      const [a, b, c] = [u64[lane], u64[QUADWORDS + lane], u64[2 * QUADWORDS + lane]];
      u64[lane] = Sse.fmasd(a, b, c, SIGNS[(signs >> (2 * lane)) & 3], control);
    }
  };
defineComputation("fmass", fusedSingles(1));
defineComputation("fmasd", fusedDoubles(1));
definePacked("fmaps", fusedSingles(DWORDS));
definePacked("fmapd", fusedDoubles(QUADWORDS));
